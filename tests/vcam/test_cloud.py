"""The vendor's cloud, blocked on the virtual camera by name and by address, and given back."""

import json
import unittest

import flash
from base import CameraTest

CONFIG = "mi360d/config.toml"


class CloudTest(CameraTest):
    def test_the_vendor_s_cloud_is_blocked_by_name_and_address_and_all_of_it_is_taken_back(self):
        own = b"127.0.0.1\tlocalhost\n"
        # DATA of the sample has the real P2P libraries; elsewhere one is made up.
        camera = self.camera("ipc019", extra={"etc/hosts": own})
        camera.card.add(CONFIG, b"[camera]\nblock_cloud = true\nset_clock = false\n"
                        b"[backup]\nat_start = false\n")
        camera.start()
        literal, many = "61.220.62.219", 12
        if not flash.sample("DATA-3.5.1_0052.jffs2"):
            camera.run("mkdir -p /mnt/data/lib")
            camera.put("/mnt/data/lib/libIOTCAPIs.so", b"\0" + literal.encode() + b"\x0010.0.0.0\0")
            many = 1
        camera.wait_http()
        headers = camera.log_in("correct horse")

        def network():
            return json.loads(camera.http("/api/v1/status", headers=headers, seconds=60)[2])["network"]

        camera.wait_for(lambda: network()["cloud_names_blocked"], 60, "blocked names", every=1)
        camera.wait_for(lambda: network()["cloud_blocked"] >= many, 60, "blocked addresses", every=1)
        hosts = camera.run("cat /etc/hosts").data
        self.assertTrue(hosts.startswith(own), hosts)
        for name in ("ot.io.mi.com", "de.ott.io.mi.com", "dlg.io.mi.com", "gm.iotcplatform.com"):
            self.assertIn(f"192.0.2.1\t{name}\n".encode(), hosts)
        routes = camera.run("route -n").text

        def refused(address):
            return any(line.split()[0] == address and "!" in line.split()[3]
                       for line in routes.splitlines() if address in line)

        self.assertTrue(refused(literal) and refused("192.0.2.1"), routes)
        self.assertNotIn("8.8.8.8", routes)
        self.assertNotIn("10.0.0.0 ", routes.replace("10.0.2.0", ""))
        # A daemon that was killed finds its own lines, and adds none.
        pid = camera.pid("mi360d")
        camera.run(f"kill -9 {pid}")
        camera.wait_for(lambda: camera.pid("mi360d") not in (None, pid), 60, "the next daemon", every=1)
        camera.wait_http()
        headers = camera.log_in("correct horse")
        camera.wait_for(lambda: network()["cloud_blocked"] >= many, 60, "blocked addresses", every=1)
        self.assertEqual(camera.run("cat /etc/hosts").data, hosts)
        wish = json.dumps({"camera": {"block_cloud": False}}).encode()
        self.assertEqual(camera.http("/api/v1/config", "PUT", wish, headers, 60)[0], 200)
        camera.wait_for(lambda: camera.run("cat /etc/hosts").data == own, 60, "the firmware's own file",
                        every=1)
        camera.wait_for(lambda: literal not in camera.run("route -n").text, 60, "the routes' end", every=1)
        self.assertNotIn("/etc/hosts", camera.run("cat /proc/mounts").text)


if __name__ == "__main__":
    unittest.main()
