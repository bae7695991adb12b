"""What a verb is told or finds outside itself: devices that are not there, places that cannot be written, a full disk, other words."""

import small_world as world

ENCODER = f"{world.HOME}/encoder.pt"
EMBED = f"embed --weights {ENCODER} --device cpu --input own --output"
