"""What an agent's Python program does with the Minds API, by `requests`.

    python_requests.py calls <number> | upload chunked|sized <bytes> | download <bytes> | lockstep <pieces> | events | refusal

The environment is what `mngr latchkey create-agent-env` gives an agent, and AGENT_ID. Prints what happened as JSON; `events`
prints the stream's lines as they come.
"""

import hashlib
import json
import os
import sys

import requests

GATEWAY = os.environ["LATCHKEY_GATEWAY"]
AGENTS = GATEWAY + "/minds-api-proxy/api/v1/agents/"
BASE = AGENTS + os.environ["AGENT_ID"]
TIMEOUT = 15
PIECE = 100_000


def new_session():
    session = requests.Session()
    session.headers["X-Latchkey-Gateway-Password"] = os.environ["LATCHKEY_GATEWAY_PASSWORD"]
    session.headers["X-Latchkey-Gateway-Permissions-Override"] = os.environ["LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE"]
    return session


def checked(response):
    response.raise_for_status()
    return response


def calls(number):
    session = new_session()
    answers = []
    for index in range(int(number)):
        method = ["GET", "POST", "PUT", "DELETE", "OPTIONS"][index % 5]
        content = b"x" * index if method in ("POST", "PUT") else None
        parameters = {"number": index, "name": "café"}
        response = session.request(method, BASE + "/request", params=parameters, data=content, timeout=TIMEOUT)
        answers.append(checked(response).json())
    pools = session.get_adapter(BASE).poolmanager.pools
    return {"connections": sum(pools[key].num_connections for key in pools.keys()), "answers": answers}


class Content:
    """Bytes that are made while they are read. With a length `requests` sends that; without one it sends chunks."""

    def __init__(self, size):
        self.remaining = size
        self.digest = hashlib.sha256()

    def read(self, most=PIECE):
        piece = os.urandom(min(most, self.remaining))
        self.remaining -= len(piece)
        self.digest.update(piece)
        return piece

    def __iter__(self):
        return iter(self.read, b"")


class SizedContent(Content):
    def __len__(self):
        return self.remaining


def upload(framing, size):
    content = {"chunked": Content, "sized": SizedContent}[framing](int(size))
    data = iter(content) if framing == "chunked" else content
    answer = checked(new_session().put(BASE + "/request", data=data, timeout=TIMEOUT)).json()
    return {"sent": content.digest.hexdigest(), "answer": answer}


def download(size):
    digest, received = hashlib.sha256(), 0
    with checked(new_session().get(BASE + "/blob/" + size, stream=True, timeout=TIMEOUT)) as response:
        for piece in response.iter_content(PIECE):
            digest.update(piece)
            received += len(piece)
    return {"bytes": received, "sha256": digest.hexdigest()}


def lockstep(pieces):
    arrived = []

    def content():
        poller = new_session()
        for index in range(int(pieces)):
            yield b"."
            answer = checked(poller.get(f"{BASE}/received/{index + 1}", timeout=TIMEOUT)).json()
            arrived.append(answer["received"])

    answer = checked(new_session().post(BASE + "/request", data=content(), timeout=TIMEOUT)).json()
    return {"arrived": arrived, "answer": answer}


def refusal():
    response = new_session().get(AGENTS + "agent-" + "0" * 32 + "/request", timeout=TIMEOUT)
    return {"status": response.status_code, "error": response.json()["error"]}


def events():
    with checked(new_session().get(BASE + "/events", stream=True, timeout=TIMEOUT)) as response:
        for line in response.iter_lines(chunk_size=1, decode_unicode=True):
            print(line, flush=True)


TASKS = {task.__name__: task for task in (calls, upload, download, lockstep, refusal, events)}

task, *arguments = sys.argv[1:]
result = TASKS[task](*arguments)
if result is not None:
    print(json.dumps(result))
