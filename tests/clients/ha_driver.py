"""Drives a real Home Assistant, headless, in its own interpreter: what an owner would click, done
through Home Assistant's own config flows, services and registries. Reads a document of addresses
and logins on standard input, prints one document of what it saw.

It sets up nothing but what the test is about, and reports every warning in Home Assistant's log."""

import asyncio
import json
import logging
import shutil
import sys
import time
from pathlib import Path

from homeassistant import bootstrap
from homeassistant.const import __version__
from homeassistant.helpers import device_registry, entity_registry
from homeassistant.runner import RuntimeConfig

PATIENCE = 300


class Warnings(logging.Handler):
    """Keeps every warning and error that is logged."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.found = []

    def emit(self, record):
        self.found.append(f"{record.levelname} {record.name}: {record.getMessage()}")


async def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while not (got := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE} s for {what}")
        await asyncio.sleep(0.2)
    return got


async def flow(hass, domain, *answers):
    """A config flow from its first form to its entry."""
    result = await hass.config_entries.flow.async_init(domain, context={"source": "user"})
    for answer in answers:
        result = await hass.config_entries.flow.async_configure(result["flow_id"], answer)
        if result.get("errors"):
            raise AssertionError(f"{domain}: {result['errors']}"
                                 f" {result.get('description_placeholders')}")
    kind = getattr(result["type"], "value", result["type"])
    if kind != "create_entry":
        raise AssertionError(f"{domain}: {kind} {result.get('step_id') or result.get('reason')}")
    return result["result"]


class Driver:
    def __init__(self, hass, told):
        self.hass, self.told = hass, told
        self.entities = entity_registry.async_get(hass)
        self.devices = device_registry.async_get(hass)

    def of(self, entry):
        return entity_registry.async_entries_for_config_entry(self.entities, entry.entry_id)

    def state(self, entity_id):
        state = self.hass.states.get(entity_id)
        return state and state.state

    async def mqtt(self):
        broker = self.told["broker"]
        entry = await flow(self.hass, "mqtt", broker)
        await wait_for(lambda: len(self.of(entry)) >= self.told["entities"], "the entities")
        unsure = ("unknown", "unavailable", None)
        await wait_for(lambda: all(self.state(e.entity_id) not in unsure for e in self.of(entry)
                                   if e.domain != "button"), "the entities' states")
        # A long state: the notice is cut, and the entity is there all the same.
        found = {}
        for entity in self.of(entry):
            state = self.hass.states.get(entity.entity_id)
            found[entity.entity_id] = {
                "state": state.state, "name": entity.original_name,
                "category": entity.entity_category, "class": entity.original_device_class,
                "unit": state.attributes.get("unit_of_measurement"),
                "statistics": state.attributes.get("state_class"),
                "message": state.attributes.get("message"),
            }
        devices = device_registry.async_entries_for_config_entry(self.devices, entry.entry_id)
        return entry, {"entities": found, "devices": [
            [d.name, d.manufacturer, d.model, d.sw_version, d.configuration_url] for d in devices]}

    async def press(self, entry, key, file, wanted):
        entity = next(e.entity_id for e in self.of(entry) if e.unique_id.endswith("_" + key))
        await self.hass.services.async_call("button", "press", {"entity_id": entity}, blocking=True)
        path = Path(file)
        await wait_for(lambda: path.read_text() == wanted, f"{wanted!r} in {file}")
        return entity

    async def hack_comes_and_goes(self, entry):
        folder = Path(self.told["hacks"]) / "visitor"
        folder.mkdir()
        (folder / "hack.toml").write_text('id = "visitor"\nexec = ["/bin/sleep", "600"]\n')

        def there():
            return [e.entity_id for e in self.of(entry) if e.unique_id.endswith("service_visitor")]

        came = await wait_for(there, "the new hack")
        await wait_for(lambda: self.state(came[0]) == "off", "the new hack's state")
        shutil.rmtree(folder)
        await wait_for(lambda: not there() and self.hass.states.get(came[0]) is None,
                       "the hack's entity to be taken back")
        return came[0]

    async def onvif(self):
        from homeassistant.components.camera import async_get_image

        told = self.told["onvif"]
        entry = await flow(self.hass, "onvif", {"auto": False}, told)
        cameras = await wait_for(lambda: [e for e in self.of(entry) if e.domain == "camera"],
                                 "ONVIF's cameras")
        main = cameras[0].entity_id
        await wait_for(lambda: self.state(main) not in (None, "unavailable"), main)
        image = await async_get_image(self.hass, main, timeout=60)
        return {"cameras": [e.entity_id for e in cameras], "type": image.content_type,
                "jpeg": image.content[:2] == b"\xff\xd8" and len(image.content)}

    async def generic(self):
        entry = await flow(self.hass, "generic", self.told["generic"], {"confirmed_ok": True})
        camera = await wait_for(lambda: [e.entity_id for e in self.of(entry)
                                         if e.domain == "camera"], "the generic camera")
        await wait_for(lambda: self.state(camera[0]), camera[0])
        film = Path(self.told["film"])
        await self.hass.services.async_call("camera", "record", {
            "entity_id": camera[0], "filename": str(film), "duration": 10, "lookback": 0},
            blocking=True)
        await wait_for(lambda: film.exists() and film.stat().st_size, "the recording")
        size = -1
        while size != film.stat().st_size:
            size = film.stat().st_size
            await asyncio.sleep(2)
        return camera[0]


async def main():
    told = json.load(sys.stdin)
    config = Path(told["folder"])
    (config / "configuration.yaml").write_text(json.dumps({
        "homeassistant": {"allowlist_external_dirs": [str(Path(told["film"]).parent)]},
        "http": {"server_host": "127.0.0.1", "server_port": told["port"]},
        "stream": {}, "ffmpeg": {},
    }))
    for name in ("automations.yaml", "scripts.yaml", "scenes.yaml"):
        (config / name).touch()
    hass = await bootstrap.async_setup_hass(RuntimeConfig(str(config), skip_pip=True))
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    await hass.async_start()
    driver = Driver(hass, told)
    seen = {"version": __version__}
    try:
        entry, seen["mqtt"] = await driver.mqtt()
        seen["pressed"] = await driver.press(entry, "left", told["event"], told["pressed"])
        seen["visitor"] = await driver.hack_comes_and_goes(entry)
        seen["onvif"] = await driver.onvif()
        seen["generic"] = await driver.generic()
    except Exception as error:  # noqa: BLE001: told to the test, with what was seen so far
        seen["failed"] = f"{type(error).__name__}: {error}"
    seen["warnings"] = warnings.found
    print("SEEN " + json.dumps(seen), flush=True)
    # The streams' threads may take their time; nobody waits for that.
    await asyncio.wait_for(hass.async_stop(force=True), 60)


if __name__ == "__main__":
    asyncio.run(main())
