#!/usr/bin/env python3
"""Draws small pictures in every form of PNG and JPEG, and writes what Pillow makes of them.

    tools/make_golden_images.py [FOLDER]          (default: tests/golden/images beside this script's folder)

images.txt has a line for each expectation: file, height, width, channels, tolerance; expected.u8 has their pixels, one
after another: Pillow's exif_transpose, convert("L" or "RGB") and resize with BILINEAR. Needs Pillow. What Pillow can't
write (16 bits of RGB, interlace) or reads otherwise (16-bit grey) is written here with zlib alone; its 16-bit values are
257 times 8-bit ones, so that all ways of rounding agree.
"""
import argparse
import io
import math
import pathlib
import struct
import zlib

from PIL import Image, ImageOps

HEIGHT, WIDTH = 29, 37
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
JPEG_TOLERANCE = 2  # decoders may differ in the last bit


def draw(bands):
    """A disc, a slope and a stripe that tell all eight orientations apart."""
    image = Image.new("RGBA", (WIDTH, HEIGHT))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            disc = math.hypot(x - 11, y - 9) < 6.5
            stripe = x // 3 % 2 == 0 and y > 20
            colour = (240, 60, 30) if disc else (20, 70, 220) if stripe else (6 * x, 8 * y, 250 - 6 * x)
            image.putpixel((x, y), (*colour, 40 if disc else 255 - 5 * y))
    return image.convert(bands)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels, width, height, depth, colour, interlaced=False):
    """A PNG of rows that `pixels(y, xs)` packs."""
    rows = b""
    for x0, y0, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        for y in range(y0, height, dy):
            xs = range(x0, width, dx)
            if xs:
                rows += b"\0" + pixels(y, xs)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9))
            + chunk(b"IEND", b""))


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def turned(orientation):
    """One stored picture with each of the eight orientations."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(draw("RGB"), format="JPEG", quality=90, exif=exif)


def pictures():
    """Name, bytes, and the picture to expect where Pillow itself is not asked."""
    rgb, grey = draw("RGB"), draw("L")
    yield "rgb.png", saved(rgb, format="PNG"), None
    yield "grey.png", saved(grey, format="PNG"), None
    yield "bilevel.png", saved(draw("1"), format="PNG"), None
    yield "rgba.png", saved(draw("RGBA"), format="PNG"), None
    yield "grey_alpha.png", saved(draw("LA"), format="PNG"), None
    palette = rgb.quantize(13)
    yield "palette.png", saved(palette, format="PNG"), None
    yield "palette_alpha.png", saved(palette, format="PNG", transparency=bytes(range(0, 130, 10))), None
    yield "rgb_key.png", saved(rgb, format="PNG", transparency=(20, 70, 220)), None
    twice = lambda image: lambda y, xs: b"".join(
        struct.pack(">H", 257 * v) for x in xs for v in (lambda p: p if isinstance(p, tuple) else (p,))(
            image.getpixel((x, y))))
    once = lambda y, xs: b"".join(bytes(rgb.getpixel((x, y))) for x in xs)
    yield "rgb16.png", png(twice(rgb), WIDTH, HEIGHT, 16, 2), rgb
    yield "grey16.png", png(twice(grey), WIDTH, HEIGHT, 16, 0), grey
    yield "interlaced.png", png(once, WIDTH, HEIGHT, 8, 2, True), rgb
    yield "rgb.jpg", saved(rgb, format="JPEG", quality=85), None
    yield "full_chroma.jpg", saved(rgb, format="JPEG", quality=85, subsampling=0), None
    yield "grey.jpg", saved(grey, format="JPEG", quality=85), None
    yield "progressive.jpg", saved(rgb, format="JPEG", quality=85, progressive=True), None
    yield "cmyk.jpg", saved(draw("CMYK"), format="JPEG", quality=90), None
    for orientation in range(1, 9):
        yield f"turned_{orientation}.jpg", turned(orientation), None


def expectations(name):
    """(H, W, C): as large, smaller, larger, one side only, grey."""
    if name.startswith("turned"):
        return [(12, 10, 3)]
    if name == "rgb.png":
        return [(HEIGHT, WIDTH, 3), (8, 8, 3), (HEIGHT, 9, 3), (7, WIDTH, 1), (40, 45, 1), (1, 1, 3), (31, 5, 3)]
    return [(10, 12, 3), (9, 7, 1)]


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=here.parent / "tests" / "golden" / "images")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    lines, pixels = [], b""
    for name, data, known in pictures():
        (folder / name).write_bytes(data)
        image = known or ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        for height, width, channels in expectations(name):
            made = image.convert("L" if channels == 1 else "RGB")
            pixels += made.resize((width, height), Image.Resampling.BILINEAR).tobytes()
            tolerance = JPEG_TOLERANCE if name.endswith(".jpg") else 0
            lines.append(f"{name} {height} {width} {channels} {tolerance}\n")
    (folder / "images.txt").write_text("".join(lines))
    (folder / "expected.u8").write_bytes(pixels)


if __name__ == "__main__":
    main()
