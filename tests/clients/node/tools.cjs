// Two ONVIF clients of the npm registry: calls every method that they have, and prints what became
// of each: "ok", or the words of the fault. Arguments: host, port, user, password.
const { Cam } = require("onvif");
const { OnvifDevice } = require("node-onvif");

const [host, port, user, password] = process.argv.slice(2);
const PATIENCE = 20000;
// They make and send nothing by themselves.
const INNER = /^_|^constructor$|^connect$|^digestAuth$|^updateNC$|^parseEventXML$|^getTimeDiff$|^setAuth$/;
const token = { profileToken: "main", ProfileToken: "main", ConfigurationToken: "main", NodeToken: "motors" };
const vector = { x: 0.1, y: 0, z: 0 };

function settled(start) {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve("no answer"), PATIENCE);
    const done = (error) => {
      clearTimeout(late);
      resolve(error ? String(error.message || error) : "ok");
    };
    try {
      const result = start(done);
      if (result && result.then) result.then(() => done(), done);
    } catch (error) {
      done(`threw: ${error.message}`);
    }
  });
}

async function npmOnvif(seen) {
  const cam = await new Promise((resolve, reject) => {
    const made = new Cam({ hostname: host, port, username: user, password, timeout: PATIENCE },
      (error) => (error ? reject(error) : resolve(made)));
  });
  const streams = (protocol) => new Promise((resolve, reject) => cam.getStreamUri(
    { protocol, profileToken: "sub" }, (error, found) => (error ? reject(error) : resolve(found.uri))));
  seen.profiles = cam.profiles.map((profile) => profile.$.token);
  seen.uri = await streams("RTSP");
  const special = {
    getStreamUri: { protocol: "RTSP", ...token },
    getVideoEncoderConfiguration: "main",
    getVideoEncoderConfigurationOptions: "main",
    getAudioEncoderConfiguration: "g711",
    getAudioEncoderConfigurationOptions: "g711",
    setVideoEncoderConfiguration: { token: "main", ...cam.videoEncoderConfigurations?.[0] },
    createProfile: { name: "mine" },
    deleteProfile: "main",
    getConfigurationOptions: "ptz",
    relativeMove: { ...token, ...vector },
    absoluteMove: { ...token, ...vector },
    continuousMove: { ...token, ...vector, timeout: 1000 },
    gotoPreset: { ...token, preset: "1" },
    setPreset: { ...token, presetName: "door" },
    removePreset: { ...token, presetToken: "1" },
    getServices: true,
    setScopes: ["onvif://www.onvif.org/name/x"],
    setSystemFactoryDefault: false,
    createUsers: [{ username: "x", password: "y", userLevel: "User" }],
    setUsers: [{ username: "admin", password: "y", userLevel: "User" }],
    deleteUsers: ["admin"],
    setSystemDateAndTime: { dateTime: new Date(), dateTimeType: "NTP", daylightSavings: false },
  };
  for (const name of Object.getOwnPropertyNames(Cam.prototype)) {
    const method = cam[name];
    if (INNER.test(name) || typeof method !== "function" || !method.length) continue;
    const words = method.length > 1 ? [special[name] ?? token] : [];
    seen.onvif[name] = await settled((done) => method.call(cam, ...words, (error) => done(error)));
  }
}

async function nodeOnvif(seen) {
  const device = new OnvifDevice({ xaddr: `http://${host}:${port}/onvif/device_service`, user, pass: password });
  const info = await device.init();
  seen.model = info.Model;
  seen.udp = device.getUdpStreamUrl();
  seen.list = device.getProfileList().map((profile) => [profile.token, profile.video.encoder.encoding]);
  const special = {
    gotoPreset: { ...token, PresetToken: "1" },
    setPreset: { ...token, PresetName: "door" },
    removePreset: { ...token, PresetToken: "1" },
    createProfile: { Name: "mine" },
    continuousMove: { ...token, Velocity: vector },
    relativeMove: { ...token, Translation: vector },
    absoluteMove: { ...token, Position: vector },
    getStreamUri: { ...token, Protocol: "RTSP" },
    getServices: { IncludeCapability: false },
    getCapabilities: undefined,
  };
  const ptz = { ConfigurationToken: "ptz" };
  const source = { ConfigurationToken: "source" };
  const sound = (name) => ({ ConfigurationToken: name.includes("AudioEncoder") ? "g711" : "microphone" });
  for (const service of ["device", "media", "ptz"]) {
    const object = device.services[service];
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(object))) {
      const method = object[name];
      // What would write is refused by its arguments or by the camera: npm onvif's half tries that.
      if (INNER.test(name) || !/^(get|create|delete|ptz|goto|set(Preset|Home)|remove|cont|abs|rel|stop)/.test(name)) continue;
      let words = { ...token, ...special[name] };
      if (service === "ptz") words = { ...words, ...ptz };
      if (name.includes("VideoSourceConf")) words = { ...words, ...source };
      if (name.includes("Audio")) words = { ...words, ...sound(name) };
      const all = method.length > 1 ? [words] : [];
      seen.node[`${service}.${name}`] = await settled((done) => method.call(object, ...all, (error) => done(error)));
    }
  }
  seen.moved = await settled((done) => device.ptzMove({ speed: { x: 0, y: 1, z: 0 }, timeout: 1 }, done));
  seen.stopped = await settled((done) => device.ptzStop(done));
  seen.snapshot = await settled((done) => device.fetchSnapshot(done));
}

(async () => {
  const seen = { onvif: {}, node: {} };
  for (const part of [npmOnvif, nodeOnvif]) {
    try {
      await part(seen);
    } catch (error) {
      seen.failed = `${part.name}: ${error.stack || error}`;
      break;
    }
  }
  console.log(JSON.stringify(seen));
  process.exit(0);
})();
