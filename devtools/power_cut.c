/* What a disk is sure to hold of one folder: loaded into every process of a job by LD_PRELOAD (see power_cut.py).
 *
 * After fsync of a file the shadow has its content as of then, after fsync of a folder its names as of then; files and
 * folders are known by inode number and time of birth, because a number is given out again. What is synced inside the
 * folder never reaches the real disk: the shadow is the disk. Synced too, as journalling file systems do it, are the
 * names of the folders that lead to what is synced; the name of a file needs its folder's fsync.
 *
 * Every sync, rename and link in the folder, but not in .dagster, is counted; before the one whose number is asked
 * for, the process waits until it is told to go on.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEY 64

struct control {
    uint64_t count, stop_at, stopped; /* the script reads and writes these */
    pthread_mutex_t lock;             /* shared by all processes; survives the death of one that holds it */
};

static struct control *control;
static char root[PATH_MAX], shadow[PATH_MAX];
static size_t root_length;

/* A shadow with a gap would prove nothing: the process ends, and says where. */
_Noreturn static void give_up(int line) {
    dprintf(2, "power_cut.c: line %d: %s\n", line, strerror(errno));
    abort();
}

static int real_rename(const char *from, const char *to) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

__attribute__((constructor)) static void begin(void) {
    const char *in = getenv("POWER_CUT_ROOT"), *at = getenv("POWER_CUT_SHADOW");
    char path[PATH_MAX + 16];
    if (!in || !at || strlen(in) >= PATH_MAX || strlen(at) >= PATH_MAX) return;
    snprintf(path, sizeof path, "%s/control", at);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED) return;
    strcpy(root, in);
    strcpy(shadow, at);
    root_length = strlen(root);
    control = shared;
}

/* Called once by the script, before any other process has the file. */
void power_cut_prepare(void) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&control->lock, &kind);
}

static void lock(void) {
    if (pthread_mutex_lock(&control->lock) == EOWNERDEAD) pthread_mutex_consistent(&control->lock);
}

static void unlock(void) { pthread_mutex_unlock(&control->lock); }

static int key_of(int folder, const char *name, int flags, char *key, unsigned *mode) {
    struct statx found;
    if (statx(folder, name, flags | AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME | STATX_TYPE, &found)) return -1;
    snprintf(key, KEY, "%llu-%lld.%09u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
             found.stx_btime.tv_nsec);
    if (mode) *mode = found.stx_mode;
    return 0;
}

/* For the script: the key of a path, and 0 if there is one. */
int power_cut_key(const char *path, char *key) { return key_of(AT_FDCWD, path, 0, key, NULL); }

static int is_inside(const char *path) {
    return control && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return 0;
}

/* Counts a step of the job, and stops before it if it is the one. */
static void step(const char *path) {
    if (!strncmp(path + root_length, "/.dagster", 9)) return;
    if (__atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST) != control->stop_at) return;
    struct timespec moment = {0, 2000000};
    __atomic_store_n(&control->stopped, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&control->stopped, __ATOMIC_SEQ_CST)) nanosleep(&moment, NULL);
}

static FILE *fresh(const char *kind, const char *key, char *temporary, char *path) {
    snprintf(path, PATH_MAX + 128, "%s/%s/%s", shadow, kind, key);
    snprintf(temporary, PATH_MAX + 128, "%s/new", shadow); /* one at a time: the lock is held */
    return fopen(temporary, "we");
}

/* Reads through the very descriptor: closing another one would take the process's locks on the file away (SQLite's). */
static void record_file(int fd) {
    static __thread char block[1 << 16];
    char key[KEY], temporary[PATH_MAX + 128], target[PATH_MAX + 128], again[64];
    int from = fd;
    if (pread(fd, block, 1, 0) < 0) { /* it is for writing only */
        snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
        from = open(again, O_RDONLY | O_CLOEXEC);
    }
    if (from < 0 || key_of(from, "", AT_EMPTY_PATH, key, NULL)) give_up(__LINE__);
    FILE *to = fresh("files", key, temporary, target);
    if (!to) give_up(__LINE__);
    ssize_t got;
    for (off_t at = 0; (got = pread(from, block, sizeof block, at)) > 0; at += got)
        if (fwrite(block, 1, (size_t)got, to) != (size_t)got) give_up(__LINE__);
    if (got < 0 || fclose(to) || real_rename(temporary, target)) give_up(__LINE__);
    if (from != fd) close(from);
    snprintf(target, sizeof target, "%s/emptied/%s", shadow, key);
    unlink(target);
}

static void record_folder(const char *path) {
    char key[KEY], temporary[PATH_MAX + 128], target[PATH_MAX + 128], below[KEY];
    unsigned mode;
    DIR *folder = opendir(path);
    if (!folder) return; /* it has gone since */
    if (key_of(dirfd(folder), "", AT_EMPTY_PATH, key, NULL)) give_up(__LINE__);
    FILE *to = fresh("folders", key, temporary, target);
    if (!to) give_up(__LINE__);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (key_of(dirfd(folder), entry->d_name, 0, below, &mode)) continue;
        fprintf(to, "%c %s %s%c", S_ISDIR(mode) ? 'd' : 'f', below, entry->d_name, 0);
    }
    closedir(folder);
    if (fclose(to) || real_rename(temporary, target)) give_up(__LINE__);
}

/* The folder's name in its parent is durable now; it has no other. */
static void record_name(const char *parent, const char *name, const char *key) {
    char of_parent[KEY], temporary[PATH_MAX + 128], target[PATH_MAX + 128], row[NAME_MAX + KEY + 8];
    if (key_of(AT_FDCWD, parent, 0, of_parent, NULL)) return;
    FILE *to = fresh("folders", of_parent, temporary, target);
    if (!to) give_up(__LINE__);
    FILE *from = fopen(target, "re");
    char *there = NULL;
    size_t room = 0;
    while (from && getdelim(&there, &room, 0, from) > 0) {
        const char *its_key = there + 2, *its_name = strchr(its_key, ' ') + 1;
        if (strcmp(its_name, name) && strncmp(its_key, key, (size_t)(its_name - its_key - 1)))
            fprintf(to, "%s%c", there, 0);
    }
    free(there);
    if (from) fclose(from);
    snprintf(row, sizeof row, "d %s %s", key, name);
    fprintf(to, "%s%c", row, 0);
    if (fclose(to) || real_rename(temporary, target)) give_up(__LINE__);
}

/* The names of all folders on the way to a path, the path itself included if it is a folder. */
static void record_way(const char *path, int is_folder) {
    char way[PATH_MAX], key[KEY];
    strcpy(way, path);
    if (!is_folder) *strrchr(way, '/') = 0;
    while (strlen(way) > root_length) {
        char *slash = strrchr(way, '/');
        int known = !key_of(AT_FDCWD, way, 0, key, NULL);
        *slash = 0;
        if (known) record_name(way, slash + 1, key);
    }
}

static void record_path(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return; /* it has gone since */
    record_file(fd);
    close(fd);
}

static void record_tree(const char *path) {
    char below[PATH_MAX];
    unsigned mode;
    char key[KEY];
    record_folder(path);
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below) give_up(__LINE__);
        if (key_of(AT_FDCWD, below, 0, key, &mode)) continue;
        if (S_ISDIR(mode)) record_tree(below);
        else if (S_ISREG(mode)) record_path(below);
    }
    closedir(folder);
}

/* Calls a function with a path in a process of its own, which has no locks to lose, with the lock held. */
static void apart(void (*record)(const char *), const char *path) {
    lock();
    pid_t child = fork();
    if (!child) {
        record(path);
        _exit(0);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (child < 0 || status) give_up(__LINE__);
    unlock();
}

/* Returns 1 if it was inside of the folder, and is recorded. */
static int synced(int fd) {
    char path[PATH_MAX];
    struct stat found;
    if (!control || path_of(fd, path) || !is_inside(path)) return 0;
    step(path);
    if (fstat(fd, &found)) return 0;
    lock();
    if (S_ISDIR(found.st_mode)) {
        record_folder(path);
        record_way(path, 1);
    } else if (S_ISREG(found.st_mode)) {
        record_file(fd);
        record_way(path, 0);
    }
    unlock();
    return 1;
}

/* Everything in the folder is durable now; the script calls it too, before the job begins. */
void power_cut_sync_all(void) { apart(record_tree, root); }

static int absolute(int folder, const char *name, char *path) {
    char beside[PATH_MAX] = "";
    if (name[0] != '/' && (folder == AT_FDCWD ? !getcwd(beside, sizeof beside) : path_of(folder, beside))) return -1;
    snprintf(path, PATH_MAX * 2 + 2, "%s%s%s", beside, *beside ? "/" : "", name);
    return 0;
}

/* Notes that an existing file was made empty, and is not synced since: it may be found so. */
static void emptied(int folder, const char *name, int flags) {
    char key[KEY], mark[PATH_MAX + 128], path[PATH_MAX * 2 + 2];
    if (!control || !(flags & O_TRUNC) || absolute(folder, name, path) || !is_inside(path)) return;
    if (key_of(AT_FDCWD, path, 0, key, NULL)) return;
    snprintf(mark, sizeof mark, "%s/emptied/%s", shadow, key);
    int made = (int)syscall(SYS_openat, AT_FDCWD, mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (made >= 0) close(made);
}

#define OPEN(folder)                                                   \
    mode_t mode = 0;                                                  \
    if (flags & (O_CREAT | __O_TMPFILE)) {                            \
        va_list rest;                                                 \
        va_start(rest, flags);                                        \
        mode = va_arg(rest, mode_t);                                  \
        va_end(rest);                                                 \
    }                                                                 \
    emptied(folder, name, flags);                                     \
    return (int)syscall(SYS_openat, folder, name, flags, mode);

int open(const char *name, int flags, ...) { OPEN(AT_FDCWD) }

int open64(const char *name, int flags, ...) { OPEN(AT_FDCWD) }

int openat(int folder, const char *name, int flags, ...) { OPEN(folder) }

int openat64(int folder, const char *name, int flags, ...) { OPEN(folder) }

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

int fsync(int fd) { return synced(fd) ? 0 : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return synced(fd) ? 0 : (int)syscall(SYS_fdatasync, fd); }

void sync(void) {
    if (control) power_cut_sync_all();
    else syscall(SYS_sync);
}

int syncfs(int fd) {
    char path[PATH_MAX];
    if (!control || path_of(fd, path) || !is_inside(path)) return (int)syscall(SYS_syncfs, fd);
    power_cut_sync_all();
    return 0;
}

int msync(void *address, size_t length, int flags) {
    char line[PATH_MAX + 128];
    unsigned long low, high;
    FILE *maps = control && (flags & MS_SYNC) ? fopen("/proc/self/maps", "re") : NULL;
    while (maps && fgets(line, sizeof line, maps)) {
        char *path = strchr(line, '/');
        if (!path || sscanf(line, "%lx-%lx", &low, &high) != 2) continue;
        path[strcspn(path, "\n")] = 0;
        if ((unsigned long)address < low || (unsigned long)address >= high || !is_inside(path)) continue;
        step(path);
        apart(record_path, path);
    }
    if (maps) fclose(maps);
    return (int)syscall(SYS_msync, address, length, flags);
}

/* Counts a change of a name, if its new name is inside. */
static void named(int folder, const char *name) {
    char path[PATH_MAX * 2 + 2];
    if (control && !absolute(folder, name, path) && is_inside(path)) step(path);
}

int rename(const char *from, const char *to) {
    named(AT_FDCWD, to);
    return real_rename(from, to);
}

int renameat(int a, const char *from, int b, const char *to) {
    named(b, to);
    return (int)syscall(SYS_renameat2, a, from, b, to, 0);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    named(b, to);
    return (int)syscall(SYS_renameat2, a, from, b, to, flags);
}

int link(const char *from, const char *to) {
    named(AT_FDCWD, to);
    return ((int (*)(const char *, const char *))next("link"))(from, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    named(b, to);
    return ((int (*)(int, const char *, int, const char *, int))next("linkat"))(a, from, b, to, flags);
}
