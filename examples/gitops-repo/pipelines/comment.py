"""Writes a file as a thread of the pull request, or brings the thread that it wrote before up to date: comment.py KEY FILE.

Azure DevOps' REST API, version 7.1: https://learn.microsoft.com/rest/api/azure/devops/git/pull-request-threads
"""

import json
import os
import sys
from pathlib import Path
from urllib.request import Request, urlopen

VERSION = "api-version=7.1"
LIMIT = 140_000
"""Characters; a comment takes 150,000."""


def main(key: str, file: str) -> None:
    collection = os.environ["SYSTEM_COLLECTIONURI"]
    number = os.environ["SYSTEM_PULLREQUEST_PULLREQUESTID"]
    repository = f"{collection}{os.environ['SYSTEM_TEAMPROJECTID']}/_apis/git/repositories/{os.environ['BUILD_REPOSITORY_ID']}"
    threads = f"{repository}/pullRequests/{number}/threads"
    text = f"<!-- {key} -->\n{Path(file).read_text(encoding='utf-8')[:LIMIT]}"
    us = send("GET", f"{collection}_apis/connectionData")["authenticatedUser"]["id"]
    for thread in send("GET", f"{threads}?{VERSION}")["value"]:
        first = (thread.get("comments") or [{}])[0]
        ours = (first.get("author") or {}).get("id") == us and not thread.get("isDeleted")
        if ours and (first.get("content") or "").startswith(f"<!-- {key} -->"):
            send("PATCH", f"{threads}/{thread['id']}/comments/{first['id']}?{VERSION}", {"content": text})
            return
    comment = {"parentCommentId": 0, "content": text, "commentType": "text"}
    send("POST", f"{threads}?{VERSION}", {"comments": [comment], "status": "closed"})


def send(method: str, url: str, body: object = None) -> dict:
    headers = {"Authorization": f"Bearer {os.environ['SYSTEM_ACCESSTOKEN']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, headers, method=method), timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
