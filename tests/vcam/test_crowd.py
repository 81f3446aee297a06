"""A flash from the page's API while everybody asks: sixteen clients that poll, an upload, and 300
connections that say nothing. Everybody is answered and memory stays small; in the long form, also
the state is told in time and the flash takes hardly longer than the same one alone."""

import contextlib
import http.client
import json
import threading
import time
import unittest

import flash
from base import NO_BACKUP
from flasher import FlashTest, other_chip, part, tf_image
from test_backup import wait_idle, wait_set
from vcam import CameraDied, TooLate

PASSWORD = "one of many"
POLLERS = 16
IDLE = 300
EVERY = 2
MOST = 5
# How many times as long as alone.
LONGER = 1.25
STATUS = "/api/v1/status"


class Pollers:
    """Clients that ask for the state again and again, each at its own time, and note how long each
    answer took once the connection stood (see `VirtualCamera.connect`)."""

    def __init__(self, camera, headers, count, path=STATUS):
        self.path = path
        self.took, self.wrong, self._over = [], [], threading.Event()
        self._camera, self._headers = camera, headers
        self._threads = [threading.Thread(target=self._poll, args=(n / count,)) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def _poll(self, share):
        due = time.monotonic() + share * EVERY
        while not self._over.wait(max(0, due - time.monotonic())):
            line = http.client.HTTPConnection("127.0.0.1", self._camera.port, timeout=10)
            try:
                line.connect()
                began = time.monotonic()
                line.request("GET", self.path, headers=self._headers)
                answer = line.getresponse()
                answer.read()
                status, took = answer.status, time.monotonic() - began
            except (OSError, http.client.HTTPException) as wrong:
                status, took = repr(wrong), 0
            line.close()
            if status == 200:
                self.took.append(took)
            else:
                self.wrong.append(status)
            due = max(due + EVERY, time.monotonic())

    def end(self):
        """The time within which 99 of 100 answers came, in seconds."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return sorted(self.took)[int(len(self.took) * 0.99)] if self.took else float("inf")


class CrowdTest(FlashTest):
    def planned(self, wanted, backup=True):
        """A camera at rest that has a plan for a flash: it, its daemon, and who asks it. Without a
        `backup` at its start the flash makes the one it needs."""
        camera = self.camera()
        if not backup:
            camera.card.add("mi360d/config.toml", NO_BACKUP.encode())
        camera.start()
        camera.wait_http()
        headers = camera.log_in(PASSWORD)
        if backup:
            wait_set(camera)
        pid = wait_idle(camera)

        def ask(method, path, body):
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            status, _, answer = camera.http(path, method, body, headers, 180)
            self.assertIn(status, (200, 201, 202), answer)
            return json.loads(answer)

        image = ask("POST", "/api/v1/images", tf_image(wanted))["id"]
        plan = ask("POST", "/api/v1/plans", {"image": image})
        self.assertEqual(plan["blockers"], [])
        begin = lambda: ask("POST", "/api/v1/jobs", {"plan": plan["id"], "confirm": plan["confirm"]})
        return camera, pid, headers, begin

    def ended(self, camera, headers, job, look=lambda end: None):
        """What a job came to, and its seconds; `look` sees each answer on the way."""
        began = time.monotonic()
        while job["state"] == "running" and camera.alive:
            with contextlib.suppress(OSError, http.client.HTTPException):
                job = json.loads(camera.http(
                    f"/api/v1/jobs/{job['id']}?wait=1&since={job['seq']}", headers=headers)[2])
            look(job)
        return job, time.monotonic() - began

    def alone(self, wanted):
        """Seconds of the same flash with one who watches."""
        camera, _, headers, begin = self.planned(wanted)
        _, took = self.ended(camera, headers, begin())
        camera.wait_end(180)
        return took

    def crowded(self, camera, pid, headers, begin):
        """The flash in its crowd: its seconds, the pollers and those of /healthz, after their end,
        and the peak of memory in KiB while it writes."""
        idle = []
        for _ in range(IDLE):
            idle.append(camera.connect())
            self.addCleanup(idle[-1].close)
        job = begin()
        pollers = Pollers(camera, headers, POLLERS)
        lives = Pollers(camera, {}, 4, "/healthz")
        upload = {}

        def send():
            # The answer comes while this still sends: its end may come before the answer is read.
            for _ in range(5):
                try:
                    status, _, answer = camera.http("/api/v1/images", "POST", bytes(16 << 20), headers,
                                                    60)
                    upload.update(status=status, code=json.loads(answer)["error"]["code"])
                    return
                except (OSError, http.client.HTTPException) as wrong:
                    upload["wrong"] = repr(wrong)

        sender = threading.Thread(target=send)
        sender.start()
        memory = [0]

        def look(now):
            if now["state"] == "running" and "writing" in now["step"]:
                with contextlib.suppress(CameraDied, TooLate):
                    memory.append(camera.memory(pid)["VmHWM"])

        end, took = self.ended(camera, headers, job, look)
        crowd, alive = pollers.end(), lives.end()
        sender.join()
        print(f"[crowd] in the flash, /healthz: half within "
              f"{sorted(lives.took)[len(lives.took) // 2] * 1000:.0f} ms, "
              f"99 of 100 within {alive * 1000:.0f} ms; {took:.1f} s with {len(idle)} idle "
              f"connections, upload {upload}; {STATUS}: 99 of 100 within {crowd * 1000:.0f} ms, half "
              f"within {sorted(pollers.took)[len(pollers.took) // 2] * 1000:.0f} ms, "
              f"{len(pollers.took)} answers, {pollers.wrong} refused; VmHWM {max(memory)} KiB",
              flush=True)
        # The camera restarts at once: its last word may not have come through, the chip has it.
        self.assertIn(end.get("outcome"), (None, "done"), end)
        self.assertEqual(upload.get("status"), 409, upload)
        self.assertGreater(len(pollers.took), POLLERS)
        self.assertEqual(pollers.wrong, [])
        self.assertTrue(0 < max(memory) < 8192, memory)
        return took, crowd

    def flashed(self, camera, wanted):
        """The camera restarts, and its chip holds what was wanted."""
        camera.wait_end(180)
        for name in ("KERNEL", "ROOTFS", "DATA"):
            self.assertEqual(flash.read(camera.flash, "ipc009", name), part(wanted, "ipc009", name))
        self.assertEqual(flash.read(camera.flash, "ipc009", "FACTORY"), flash.factory())

    def test_a_crowd_does_no_harm_to_a_flash(self):
        wanted = other_chip()
        camera, pid, headers, begin = self.planned(wanted, backup=False)
        self.crowded(camera, pid, headers, begin)
        self.flashed(camera, wanted)


class LongCrowdTest(CrowdTest):
    test_a_crowd_does_no_harm_to_a_flash = None

    def test_a_flash_in_a_crowd_tells_its_state_in_time_and_stays_small(self):
        wanted = other_chip()
        alone = self.alone(wanted)
        camera, pid, headers, begin = self.planned(wanted)

        one = Pollers(camera, headers, 1)
        time.sleep(30)
        one = one.end()
        print(f"[crowd] idle, one client: 99 of 100 within {one * 1000:.0f} ms", flush=True)
        many = Pollers(camera, headers, POLLERS)
        time.sleep(20)
        many = many.end()
        print(f"[crowd] idle, {POLLERS} clients: {many * 1000:.0f} ms", flush=True)

        took, crowd = self.crowded(camera, pid, headers, begin)
        print(f"[crowd] alone the flash took {alone:.1f} s, {took:.1f} s in the crowd; {STATUS}: "
              f"{crowd * 1000:.0f} ms, {many * 1000:.0f} ms idle")
        self.assertLess(took, LONGER * alone)
        self.assertLess(crowd, MOST * many)
        self.flashed(camera, wanted)


if __name__ == "__main__":
    unittest.main()
