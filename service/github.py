"""GitHub's REST API, as far as promoting needs it."""

from typing import Any

import httpx

from outpost.errors import OutpostError

TIMEOUT = 20.0  # seconds


class GitHubError(OutpostError):
    """GitHub refused or did not answer."""


class GitHub:
    """Calls one GitHub (or a stub of it) with one token."""

    def __init__(self, base_url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=base_url,
            timeout=TIMEOUT,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    def __enter__(self) -> "GitHub":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise GitHubError(
                "github-unavailable", f"GitHub did not answer ({type(error).__name__})."
            ) from error
        if answer.status_code >= 500 or answer.status_code in (403, 429):
            raise GitHubError("github-unavailable", f"GitHub answered {answer.status_code}.")
        return answer

    def branch_commit(self, repository: str, branch: str) -> str | None:
        """The commit that GitHub itself shows at the head of a branch."""
        answer = self._call("GET", f"/repos/{repository}/git/ref/heads/{branch}")
        return str(answer.json()["object"]["sha"]) if answer.status_code == 200 else None

    def pull_request(self, repository: str, *, head: str, base: str, title: str, body: str) -> dict[str, Any]:
        """The pull request from `head` to `base`: a new one, or the one that there is already."""
        made = self._call(
            "POST",
            f"/repos/{repository}/pulls",
            json={"title": title, "head": head, "base": base, "body": body},
        )
        if made.status_code == 201:
            return _pull(made.json())
        owner = repository.partition("/")[0]
        known = self._call(
            "GET",
            f"/repos/{repository}/pulls",
            params={"head": f"{owner}:{head}", "base": base, "state": "all"},
        )
        if known.status_code == 200 and known.json():
            return _pull(known.json()[0])
        raise GitHubError("pull-request-refused", f"GitHub refused the pull request ({made.status_code}).")


def _pull(found: dict[str, Any]) -> dict[str, Any]:
    return {"number": int(found["number"]), "url": str(found["html_url"])}
