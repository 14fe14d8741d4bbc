"""A whole simulated organization, built in order."""

from __future__ import annotations

import gc

from .changes import Changes
from .donors import plant_donors, plant_orphans
from .events import EventLog, log_history
from .gifts import plant_gifts
from .organization import furnish
from .planting import Planting
from .schedules import plant_schedules
from .state import Options, World, scale_named
from .switches import log_switches


class Simulation:
    """A world together with what moves it; the same seed, scale and options make the same world."""

    def __init__(self, seed: int, scale: str, options: Options | None = None) -> None:
        self.scale_name = scale
        collecting = gc.isenabled()
        gc.disable()  # millions of small objects that all stay: collecting them only costs time
        try:
            self.world = World(seed, scale_named(scale), options or Options())
            self._build()
        finally:
            if collecting:
                gc.enable()
        gc.freeze()

    def _build(self) -> None:
        world = self.world
        self.log = EventLog(world)
        self.changes = Changes(world, self.log)
        furnish(world)
        plant = Planting(world)
        plant_donors(plant)
        if world.scale.bare:
            plant_gifts(plant)
            for id in world.gifts.ids:
                world.gifts.encoded(id)  # a benchmark is to measure its reader
            return
        plant_schedules(plant)
        plant_gifts(plant)
        plant_orphans(world)
        log_switches(self.log)
        log_history(self.log)
