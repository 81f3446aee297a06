"""A recorder's side of ONVIF: onvif-zeep and WSDiscovery in an interpreter of their own, what they are
asked to do there, and a demo with ONVIF on that is asked by hand."""

import base64
import hashlib
import http.client
import json
import os
import subprocess
import sys
import time

from rig import TARGET, free_port, run, wait_for
from test_page import Demo

FOLDER = TARGET / "rtsp-tools" / "onvif"
PACKAGES = ["onvif-zeep==0.2.12", "WSDiscovery==2.1.2"]
NAMES = 'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://docs.oasis-open.org/wss/'\
        '2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"'
DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0" \
         "#PasswordDigest"

# What a recorder does, in an interpreter of its own.
RECORDER = """
import json, onvif, sys, sysconfig
host, port, user, password = sys.argv[1:]
wsdl = sysconfig.get_path('purelib') + '/wsdl'
camera = onvif.ONVIFCamera(host, int(port), user, password, wsdl)
media = camera.create_media_service()
profiles = media.GetProfiles()
ask = lambda token: media.GetStreamUri({'ProfileToken': token, 'StreamSetup': {
    'Stream': 'RTP-Unicast', 'Transport': {'Protocol': 'RTSP'}}}).Uri
def refused(what):
    try:
        what()
    except onvif.exceptions.ONVIFError as error:
        return str(error)
date = camera.devicemgmt.GetSystemDateAndTime().UTCDateTime
print(json.dumps({
    'model': camera.devicemgmt.GetDeviceInformation().Model,
    'scopes': [s.ScopeItem for s in camera.devicemgmt.GetScopes()],
    'services': [s.Namespace for s in camera.devicemgmt.GetServices({'IncludeCapability': False})],
    'interfaces': len(camera.devicemgmt.GetNetworkInterfaces()),
    'year': date.Date.Year,
    'profiles': [[p.token, p.VideoEncoderConfiguration.Encoding,
                  p.VideoEncoderConfiguration.Resolution.Width] for p in profiles],
    'one': media.GetProfile({'ProfileToken': 'sub'}).Name,
    'sources': [s.Resolution.Width for s in media.GetVideoSources()],
    'encoders': [c.token for c in media.GetVideoEncoderConfigurations()],
    'encoder': media.GetVideoEncoderConfiguration({'ConfigurationToken': 'main'}).Name,
    'uris': [ask(p.token) for p in profiles],
    'snapshot': media.GetSnapshotUri({'ProfileToken': 'main'}).Uri,
    'can': media.GetServiceCapabilities().SnapshotUri,
    'create': refused(lambda: media.CreateProfile({'Name': 'mine'})),
    'delete': refused(lambda: media.DeleteProfile({'ProfileToken': 'main'})),
    'sound': [[s.token, s.Channels] for s in media.GetAudioSources()],
    'microphone': [[c.token, c.SourceToken] for c in media.GetAudioSourceConfigurations()],
    'g711': [[c.token, c.Encoding, c.Bitrate, c.SampleRate] for c in media.GetAudioEncoderConfigurations()],
    'forms': [[o.Encoding, o.BitrateList.Items, o.SampleRateList.Items] for o in
              media.GetAudioEncoderConfigurationOptions({'ConfigurationToken': 'g711'}).Options],
    'inputs': media.GetAudioSourceConfigurationOptions({'ProfileToken': 'sub'}).InputTokensAvailable,
    'one_source': media.GetAudioSourceConfiguration({'ConfigurationToken': 'microphone'}).SourceToken,
    'one_encoder': media.GetAudioEncoderConfiguration({'ConfigurationToken': 'g711'}).SampleRate,
    'outputs': [o.token for o in media.GetAudioOutputs()],
    'speaker': [[c.token, c.OutputToken] for c in media.GetAudioOutputConfigurations()],
    'one_output': media.GetAudioOutputConfiguration({'ConfigurationToken': 'speaker'}).OutputLevel,
    'levels': media.GetAudioOutputConfigurationOptions({}).OutputTokensAvailable,
    'speech': [c.token for c in media.GetAudioDecoderConfigurations()],
    'one_decoder': media.GetAudioDecoderConfiguration({'ConfigurationToken': 'speech'}).Name,
    'decodes': media.GetAudioDecoderConfigurationOptions({}).G711DecOptions.Bitrate.Items,
    'compatible_sound': [getattr(media, f'GetCompatible{kind}Configurations')({'ProfileToken': 'main'})[0].token for kind
                         in ('AudioSource', 'AudioEncoder', 'AudioOutput', 'AudioDecoder')],
    'with_sound': [[p.AudioSourceConfiguration.SourceToken, p.AudioEncoderConfiguration.Encoding,
                    # Its schema takes what is in there for anything.
                    'AudioOutputConfiguration' in str(p.Extension), 'AudioDecoderConfiguration' in str(p.Extension)]
                   for p in profiles],
    'no_such': refused(lambda: media.GetAudioEncoderConfiguration({'ConfigurationToken': 'main'})),
    'protocols': [[p.Name, p.Enabled, list(p.Port)]
                  for p in camera.devicemgmt.GetNetworkProtocols()],
    'dns': camera.devicemgmt.GetDNS().FromDHCP,
    'ntp': len(camera.devicemgmt.GetNTP().NTPManual),
    'users': [[u.Username, u.UserLevel, u.Password] for u in camera.devicemgmt.GetUsers()],
    'discovery': camera.devicemgmt.GetDiscoveryMode(),
    'options': [[r.Width, r.Height] for r in media.GetVideoEncoderConfigurationOptions(
        {'ConfigurationToken': 'sub', 'ProfileToken': 'sub'}).H264.ResolutionsAvailable],
    'bounds': media.GetVideoSourceConfigurationOptions({}).BoundsRange.WidthRange.Max,
    'compatible': [c.token for c in media.GetCompatibleVideoEncoderConfigurations(
        {'ProfileToken': 'sub'})],
    'metadata': media.GetMetadataConfigurations(),
}))
"""
PULLS = """
import datetime, onvif, sys, sysconfig
host, port, user, password = sys.argv[1:]
wsdl = sysconfig.get_path('purelib') + '/wsdl'
# It asks for a pull point by itself.
camera = onvif.ONVIFCamera(host, int(port), user, password, wsdl)
assert camera.create_events_service().GetServiceCapabilities().MaxPullPoints == 6
assert 'RuleEngine' in str(camera.event.GetEventProperties().TopicSet)
point = camera.create_pullpoint_service()
while True:
    pull = {'Timeout': datetime.timedelta(seconds=int(sys.stdin.readline())), 'MessageLimit': 9}
    for message in point.PullMessages(pull).NotificationMessage:
        whole = message.Message._value_1
        item = whole.find('.//{*}Data/{*}SimpleItem')
        print(whole.get('PropertyOperation'), item.get('Name'), item.get('Value'))
    print('', flush=True)
"""
MOTORS = """
import json, onvif, sys, sysconfig
host, port, user, password = sys.argv[1:]
wsdl = sysconfig.get_path('purelib') + '/wsdl'
camera = onvif.ONVIFCamera(host, int(port), user, password, wsdl)
ptz, media = camera.create_ptz_service(), camera.create_media_service()
vector = lambda x, y: {'PanTilt': {'x': x, 'y': y}}
node = ptz.GetNodes()[0]
token = media.GetProfiles()[0].PTZConfiguration.NodeToken
assert node.token == token == ptz.GetConfigurations()[0].NodeToken, token
options = ptz.GetConfigurationOptions({'ConfigurationToken': 'ptz'})
assert options.Spaces.ContinuousPanTiltVelocitySpace[0].XRange.Max == 1, options
status = ptz.GetStatus({'ProfileToken': 'main'})
assert (status.Position, status.MoveStatus.PanTilt) == (None, 'UNKNOWN'), status
assert ptz.GetPresets({'ProfileToken': 'main'}) in (None, []), 'presets'
for name, more in (('SetPreset', {}), ('GotoPreset', {'PresetToken': '1'}), ('GotoHomePosition', {})):
    try:
        getattr(ptz, name)({'ProfileToken': 'main', **more})
    except onvif.exceptions.ONVIFError:
        continue
    raise AssertionError(name)
ptz.RelativeMove({'ProfileToken': 'main', 'Translation': vector(-0.5, 0.1)})
print(json.dumps(open(sys.stdin.readline().strip()).read()), flush=True)
ptz.ContinuousMove({'ProfileToken': 'main', 'Velocity': vector(0, 1)})
ptz.Stop({'ProfileToken': 'main', 'PanTilt': True})
"""
SEARCH = """
from wsdiscovery import WSDiscovery, QName
search = WSDiscovery(ttl=1)
search.start()
kind = QName('http://www.onvif.org/ver10/network/wsdl', 'NetworkVideoTransmitter')
for service in search.searchServices(types=[kind], timeout=3):
    print(' '.join(service.getXAddrs()), ' '.join(str(s) for s in service.getScopes()))
search.stop()
"""


def packages():
    """An interpreter that has the packages, made once."""
    python = FOLDER / "bin" / "python"
    if not (FOLDER / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
        subprocess.run([python, "-m", "pip", "-q", "install", *PACKAGES], check=True)
        (FOLDER / "ready").touch()
    return python


def interpreter(script, *words):
    return run([packages(), "-c", script, *words], 120)


class Soap(Demo):
    """A demo with ONVIF on, asked by hand."""

    LISTEN = "0.0.0.0"

    def setUp(self):
        super().setUp()
        wait_for(lambda: self.ask("GET", "/services/rtsp-server")[0] == 200, "the hack", 120)
        status, _, body = self.soap("device", "<GetSystemDateAndTime/>")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (401, "login-needed"), "off")
        self.stream_port = free_port()
        self.switch({"port": self.stream_port})
        wait_for(lambda: (json.loads(self.ask("GET", "/video")[2])["server"] or {}).get("streams")
                 and all(s["fps"] for s in json.loads(self.ask("GET", "/video")[2])["server"]["streams"]),
                 "pictures", 120)
        _, _, body = self.ask("POST", "/video/login", {"password": "correct horse"})
        self.login = json.loads(body)["user"], json.loads(body)["password"]

    def switch(self, settings):
        status, _, body = self.ask("PUT", "/services/rtsp-server",
                                   {"enabled": True, "settings": settings})
        self.assertEqual(status, 200, body)

    def soap(self, service, inside, token="", path=None, headers=(), whole=None):
        text = whole or f"<s:Envelope {NAMES}><s:Header>{token}</s:Header>" \
                        f"<s:Body>{inside}</s:Body></s:Envelope>"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", path or f"/onvif/{service}_service", text.encode(),
                           {"Content-Type": "application/soap+xml", **dict(headers)})
        answer = connection.getresponse()
        found = answer.status, answer.getheaders(), answer.read()
        connection.close()
        return found

    def token(self, password=None, nonce=None, age=0, kind=DIGEST):
        nonce = nonce or os.urandom(16)
        created = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - age))
        secret = self.login[1] if password is None else password
        digest = hashlib.sha1(nonce + created.encode() + secret.encode()).digest()
        said = base64.b64encode(digest).decode() if kind == DIGEST else secret
        return (f"<w:Security><w:UsernameToken><w:Username>{self.login[0]}</w:Username>"
                f'<w:Password Type="{kind}">{said}</w:Password>'
                f"<w:Nonce>{base64.b64encode(nonce).decode()}</w:Nonce>"
                f"<w:Created>{created}</w:Created></w:UsernameToken></w:Security>")
