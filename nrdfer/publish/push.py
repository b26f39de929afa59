"""Publishing a trained network in a repository of the Hugging Face hub, after its user agreed to every file.

Two steps: `plan_push` asks the hub what is there and gathers the files, `push` sends them in one commit, whole or not
at all. What the files are belongs to `hub_content`, downloading to ``nrdfer.weights.hub_version``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nrdfer.core.errors import NrdferError
from nrdfer.publish.hub_content import HubContent, content_of
from nrdfer.weights.hub_address import SCHEME, HubAddress, parse_hub_address
from nrdfer.weights.hub_manifest import SUFFIXES
from nrdfer.weights.hub_version import brief, without

_BRANCH = "main"
_OF_GIT = ".gitattributes"
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN, with a token that may write"


@dataclass(frozen=True)
class PushPlan:
    """What a push would do."""

    model: str
    address: HubAddress
    content: HubContent
    url: str
    exists: bool
    private: bool
    replaced: tuple[str, ...] = ()  # files of these names that are there already

    def lines(self) -> list[str]:
        """All of it, for the user to decide."""
        who = "only you and those you allow can see it" if self.private else "PUBLIC: everyone can see it"
        again = dict.fromkeys(self.replaced, "  (replaces the one there; the hub keeps it as an earlier commit)")
        files = [f"  {len(data):>13,} bytes  {name}{again.get(name, '')}" for name, data in self.content.files.items()]
        return [
            f"{self.model} -> {self.url} ({'there already' if self.exists else 'new'}; {who})",
            *files,
            f"  {sum(map(len, self.content.files.values())):>13,} bytes in {len(files)} files, and nothing else",
        ]


def plan_push(model: str, target: str, *, public: bool = False) -> PushPlan:
    """Gather the files and look at the repository; nothing is sent.

    Args:
        model: a registered version, or a trained folder.
        target: ``hf://owner/name``.
        public: whether everyone may see the repository.

    Raises:
        WeightsError: the model cannot be published.
        NrdferError: there is no token, the hub does not answer, or the repository is not fit: it has files of other
            kinds, or everyone can see it though `public` is False.
    """
    address = parse_hub_address(target)
    if address.revision is not None:
        raise NrdferError(f"{target}: a push makes a new commit on {_BRANCH}; give hf://{address.repo} without @")
    content = content_of(model)
    token = _token()
    with _brief_errors(token, f"looking at {SCHEME}{address.repo}"):
        api, there = _hub(token), _existing(token, address)
        url = f"{api.endpoint}/{address.repo}"
        if there is None:
            return PushPlan(model, address, content, url, exists=False, private=not public)
        _refuse_unfit(address, there, public)
        replaced = tuple(name for name in _names(there) if name in content.files)
        return PushPlan(model, address, content, url, exists=True, private=bool(there.private), replaced=replaced)


def push(plan: PushPlan) -> HubAddress:
    """Send the files of a plan in one commit; returns its address.

    Raises:
        NrdferError: the hub refused, or the connection failed; what is in the repository is as before.
    """
    from huggingface_hub import CommitOperationAdd

    token = _token()
    with _brief_errors(token, f"pushing to {SCHEME}{plan.address.repo}"), _plain_transfer():
        api = _hub(token)
        if not plan.exists:
            api.create_repo(plan.address.repo, private=plan.private)
        there = _existing(token, plan.address)
        if there is None or bool(there.private) != plan.private:  # an organisation may have rules of its own
            raise NrdferError(
                f"{plan.url} is {'not there' if there is None else 'public' if plan.private else 'private'}, other "
                "than was agreed to; nothing was sent. Look at it in a browser, and push again"
            )
        _refuse_unfit(plan.address, there, not plan.private)
        made = api.create_commit(
            plan.address.repo,
            [CommitOperationAdd(name, data) for name, data in plan.content.files.items()],
            commit_message=f"Model of nrdfer: {len(plan.content.files)} files",
            revision=_BRANCH,
            parent_commit=there.sha,
        )
    return HubAddress(plan.address.repo, str(made.oid))


def _refuse_unfit(address: HubAddress, there: Any, public: bool) -> None:
    other = sorted(name for name in _names(there) if not name.endswith(SUFFIXES) and name != _OF_GIT)
    if other:
        raise NrdferError(
            f"{address} holds {other[0]}, and a model there could not be opened: only {', '.join(SUFFIXES)} are "
            "accepted. Push to another repository"
        )
    if not there.private and not public:
        raise NrdferError(f"{address} is public: everyone would see the model. If that is meant, add --public")


def _names(there: Any) -> list[str]:
    return [sibling.rfilename for sibling in there.siblings or ()]


def _existing(token: str, address: HubAddress) -> Any | None:
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return _hub(token).model_info(address.repo)
    except RepositoryNotFoundError:
        return None


def _hub(token: str) -> Any:
    from huggingface_hub import HfApi

    from nrdfer.weights.hub import HEADERS

    return HfApi(token=token, headers={"user-agent": HEADERS["user-agent"]})


def _token() -> str:
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        raise NrdferError(f"no token of the hub is on this machine; {_LOG_IN}")
    return token


@contextlib.contextmanager
def _brief_errors(token: str, doing: str) -> Iterator[None]:
    """Errors of the hub's client as one message without the token."""
    try:
        yield
    except NrdferError:
        raise
    except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
        status = getattr(getattr(error, "response", None), "status_code", None)
        advice = f"; {_LOG_IN} there" if status in (401, 403) else "; run the same command again"
        raise NrdferError(f"{doing} failed: {without(token, brief(error))}{advice}") from None


@contextlib.contextmanager
def _plain_transfer() -> Iterator[None]:
    """The client's uploads over plain HTTP, the way that is tested, and progress bars on terminals only."""
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before, bars = constants.HF_HUB_DISABLE_XET, not are_progress_bars_disabled()
    constants.HF_HUB_DISABLE_XET = True
    if not sys.stderr.isatty() and bars:
        disable_progress_bars()
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before
        if bars:
            enable_progress_bars()
