"""ONVIF clients as programmers use them: `onvif` and `node-onvif` of the npm registry, with every
method that they have, and onvif-zeep-async of PyPI, which Home Assistant uses."""

import json
import shutil
import subprocess

from base import FOLDER, HERE, Streams, python

ZEEP = ["onvif-zeep-async==4.3.0"]

# Those that answer, of `onvif`. All others must be refused, in words.
ONVIF = """getSystemDateAndTime getCapabilities getServiceCapabilities getServices
getDeviceInformation getHostname getScopes getNTP getNetworkInterfaces getDNS getNetworkProtocols
getUsers getVideoSources getVideoSourceConfigurations getVideoEncoderConfiguration
getVideoEncoderConfigurationOptions getVideoEncoderConfigurations getProfiles getStreamUri
getAudioSources getAudioSourceConfigurations getAudioEncoderConfigurations getAudioEncoderConfiguration
getAudioEncoderConfigurationOptions getAudioOutputs getAudioOutputConfigurations
getSnapshotUri getMediaServiceCapabilities getPresets getStatus getNodes getConfigurations getConfigurationOptions
relativeMove continuousMove stop""".split()
NODE = """device.getCapabilities device.getDiscoveryMode device.getScopes device.getHostname
device.getDNS device.getNetworkInterfaces device.getNetworkProtocols device.getDeviceInformation
device.getSystemDateAndTime device.getUsers device.getNTP device.getServices
device.getServiceCapabilities media.getStreamUri media.getSnapshotUri media.getVideoEncoderConfigurations
media.getVideoEncoderConfiguration media.getCompatibleVideoEncoderConfigurations
media.getVideoEncoderConfigurationOptions media.getProfiles media.getProfile media.getVideoSources
media.getVideoSourceConfiguration media.getVideoSourceConfigurations
media.getCompatibleVideoSourceConfigurations media.getVideoSourceConfigurationOptions
media.getAudioSources media.getAudioSourceConfigurations media.getAudioSourceConfiguration
media.getCompatibleAudioSourceConfigurations media.getAudioSourceConfigurationOptions
media.getAudioEncoderConfigurations media.getAudioEncoderConfiguration
media.getCompatibleAudioEncoderConfigurations media.getAudioEncoderConfigurationOptions
media.getMetadataConfigurations ptz.getNodes ptz.getNode ptz.getConfigurations ptz.getConfiguration
ptz.getConfigurationOptions ptz.getStatus ptz.continuousMove ptz.relativeMove ptz.stop
ptz.getPresets""".split()

# Methods of `onvif` for services that the camera does not have; it puts the restart there, too.
NOT_OFFERED = ("Event", "subscribe", "PullPoint", "pullMessages", "maging", "Recording", "Replay",
               "Track", "systemReboot")

ASYNC = """
import asyncio, json, sys
from onvif import ONVIFCamera
from onvif.exceptions import ONVIFError
from zeep.exceptions import Fault

async def main(host, port, user, password):
    camera = ONVIFCamera(host, int(port), user, password)
    await camera.update_xaddrs()
    device = await camera.create_devicemgmt_service()
    media = await camera.create_media_service()
    ptz = await camera.create_ptz_service()
    profiles = await media.GetProfiles()
    capabilities = await media.GetServiceCapabilities()
    status = await ptz.GetStatus({'ProfileToken': 'main'})
    try:
        await media.GetSnapshotUri({'ProfileToken': 'main'})
        snapshot = 'promised'
    except (Fault, ONVIFError) as fault:
        snapshot = str(fault)
    seen = {
        'model': (await device.GetDeviceInformation()).Model,
        'profiles': [p.token for p in profiles],
        'snapshot': [capabilities.SnapshotUri, snapshot],
        'status': status.MoveStatus.PanTilt,
        'users': [u.Username for u in await device.GetUsers()],
        'uri': (await media.GetStreamUri({'ProfileToken': 'sub', 'StreamSetup': {
            'Stream': 'RTP-Unicast', 'Transport': {'Protocol': 'RTSP'}}})).Uri,
    }
    await camera.close()
    print(json.dumps(seen))

asyncio.run(main(*sys.argv[1:]))
"""


def node_modules():
    """The npm packages, installed once for each lock file."""
    folder = FOLDER / "node"
    lock = (HERE / "node/package-lock.json").read_text()
    mark = folder / "ready"
    if not mark.exists() or mark.read_text() != lock:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, folder)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
                       cwd=folder, check=True)
        mark.write_text(lock)
    return folder


class Tools(Streams):
    MOTORS = True

    def test_npm_onvif_and_node_onvif_with_their_whole_api(self):
        folder = node_modules()
        shutil.copy(HERE / "node/tools.cjs", folder)
        out = self.run_quietly(["node", folder / "tools.cjs", "127.0.0.1", self.port, *self.login],
                               300)
        seen = json.loads(out.splitlines()[-1])
        self.assertNotIn("failed", seen)
        self.assertEqual(seen["profiles"], ["main", "sub"])
        self.assertEqual(seen["list"], [["main", "H264"], ["sub", "H264"]])
        self.assertTrue(seen["uri"].endswith(f":{self.stream_port}/substream"), seen["uri"])
        self.assertEqual((seen["moved"], seen["stopped"]), ("ok", "ok"))
        self.assertEqual(seen["snapshot"], "ok")
        for which, wanted in (("onvif", ONVIF), ("node", NODE)):
            good = [name for name, words in seen[which].items() if words == "ok"]
            self.assertEqual(sorted(good), sorted(wanted), seen[which])
            print(f"  {which}: {len(good)} of {len(seen[which])} methods answered", flush=True)
            for name, words in seen[which].items():
                # It sends what is for a service that the camera has not to an address that is none,
                # and waits for a subscription that was never made.
                if name == "unsubscribe" or any(word in name for word in NOT_OFFERED):
                    continue
                self.assertNotIn("no answer", words, name)
                self.assertNotIn("Wrong ONVIF SOAP response", words, name)
        # What would have changed the camera was refused in words.
        for name, word in (("setSystemFactoryDefault", "not support"), ("deleteUsers", "not support"),
                           ("setNTP", "not support"), ("createProfile", "cannot have more"),
                           ("deleteProfile", "fixed"), ("setPreset", "no presets"),
                           ("gotoPreset", "does not exist"), ("gotoHomePosition", "no home"),
                           ("setVideoEncoderConfiguration", "Wrong `Set"),
                           ("setSystemDateAndTime", "Wrong `Set")):
            self.assertIn(word, seen["onvif"][name], name)

    def test_onvif_zeep_async(self):
        interpreter = python("zeep", ZEEP)
        out = self.run_quietly([interpreter, "-c", ASYNC, "127.0.0.1", self.port, *self.login])
        seen = json.loads(out.splitlines()[-1])
        self.assertEqual(seen["model"], "ipc009")
        self.assertEqual(seen["profiles"], ["main", "sub"])
        self.assertEqual(seen["snapshot"], [True, "promised"])
        self.assertEqual((seen["status"], seen["users"]), ("UNKNOWN", ["admin"]))
        self.assertTrue(seen["uri"].endswith(f":{self.stream_port}/substream"), seen["uri"])
