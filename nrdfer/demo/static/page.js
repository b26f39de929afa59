(() => {
  const one = (id) => document.getElementById(id);
  const ends = (line) => [parseFloat(line.dataset.start), parseFloat(line.dataset.end)];
  // the timeline is made anew for each person, so it is looked up every time
  function follow() {
    const video = one("nrdfer-video"), line = one("nrdfer-timeline"), head = one("nrdfer-head");
    if (!video || !line || !head) return;
    const [start, end] = ends(line);
    const now = Math.min(Math.max(video.currentTime, start), end);
    head.style.left = `${(100 * (now - start)) / Math.max(end - start, 1e-9)}%`;
    // by time, not by frame: frames of a variable rate stay differently long
    const pieces = [...line.querySelectorAll(".piece")];
    const piece = pieces.find((p) => now < parseFloat(p.dataset.to)) || pieces.at(-1);
    const words = `${now.toFixed(1)} s${piece ? `: ${piece.dataset.words}` : ""}`;
    const caption = one("nrdfer-now");
    if (caption && caption.textContent !== words) caption.textContent = words;
  }
  setInterval(follow, 100);
  document.addEventListener("click", (event) => {
    const line = event.target.closest && event.target.closest("#nrdfer-timeline");
    const video = one("nrdfer-video");
    if (!line || !video) return;
    const box = line.getBoundingClientRect();
    const [start, end] = ends(line);
    video.currentTime = start + ((event.clientX - box.left) / box.width) * (end - start);
    follow();
  });
})();
