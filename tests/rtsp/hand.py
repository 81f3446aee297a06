"""A person at the page: Chromium, driven by tests/page/hand.mjs, one for a whole test."""

import json
import os
import subprocess

from rig import ROOT, TARGET, wait_for

PAGE = TARGET / "page"


class Hand:
    """Logged in, at Live."""

    def __init__(self, port, password):
        # Packages and scripts, as the page's own tests have them.
        subprocess.run([ROOT / "tests/page/run", "install"], check=True, stdout=subprocess.DEVNULL, timeout=900)
        self.process = subprocess.Popen(
            ["node", PAGE / "hand.mjs", f"http://127.0.0.1:{port}", password], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "MI360D_REPO": str(ROOT)})
        self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        assert line, f"the browser ended with {self.process.wait(60)}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def begin(self, does, **more):
        """What to do; the answer is read later."""
        self.process.stdin.write(json.dumps({"does": does, **more}) + "\n")
        self.process.stdin.flush()
        return self._answer

    def do(self, does, **more):
        return self.begin(does, **more)()

    def set(self, control, value, again=False):
        """Sets a control as often as its pause refuses it; of a switch without a value the first click
        is on. `again` also where it has the value. What its row says in the end."""
        def once():
            found = self.do("set", id=control, value=value, again=again)
            return found["value"] == value and not found["refused"] and found
        return wait_for(once, f"{control} to be {value} on the page", 60)

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
