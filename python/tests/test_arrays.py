"""Pixels, where numpy and OpenCV or Pillow are there, and words where they are not."""

from __future__ import annotations

import contextlib
import importlib
import sys
import unittest
from unittest import mock

import streamflow
from streamflow import picture
from streamflow.session import Moment

from .support import jpeg, left_out, needs


def setUpModule() -> None:
    # Before any is taken away for a moment: OpenCV cannot be loaded twice.
    for module in ("numpy", "cv2", "PIL.Image"):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def shown(data: bytes) -> streamflow.Picture:
    return streamflow.Picture(data, 0, Moment.at(None, True))


class Arrays(unittest.TestCase):
    def test_colours_have_the_order_that_was_asked_for_with_either_decoder(self) -> None:
        needs("numpy")
        import numpy

        blue = numpy.zeros((32, 48, 3), numpy.uint8)
        blue[:, :, 0] = 250
        used = 0
        for without in ({"PIL.Image": None}, {"cv2": None}):
            with mock.patch.dict(sys.modules, without):
                try:
                    data = picture.encode(blue, "bgr", 90)
                except streamflow.DecoderError:
                    continue
                used += 1
                pixels = shown(data).array()
                self.assertEqual(pixels.shape, (32, 48, 3))
                self.assertTrue((abs(pixels.astype(int) - blue) < 12).all())
                self.assertTrue((shown(data).array("rgb") == pixels[:, :, ::-1]).all())
                red = shown(picture.encode(blue, "rgb", 90)).array()
                self.assertGreater(red[0, 0, 2], 200)
                self.assertEqual(shown(picture.encode(blue[:, :, 0], "bgr", 90)).array().shape, (32, 48, 3))
                for wrong in (b"", jpeg(0)[:200], b"\xff\xd8" + b"x" * 100, jpeg(0).replace(b"\x00\x10\x00\x18", b"\xff\xff\xff\xff")):
                    with self.assertRaises(streamflow.DecoderError):
                        shown(wrong).array()
                for odd in (blue.astype(float), blue[:, :, :2], numpy.zeros((0, 0, 3), numpy.uint8), numpy.zeros(3, numpy.uint8)):
                    with self.assertRaises(streamflow.UsageError):
                        picture.encode(odd, "bgr", 90)
        if not used:
            raise left_out("neither OpenCV nor Pillow is installed here")

    def test_where_there_is_no_decoder_it_is_said_what_to_install(self) -> None:
        for without in ({"numpy": None}, {"cv2": None, "PIL.Image": None, "PIL": None}):
            with mock.patch.dict(sys.modules, without), self.assertRaisesRegex(streamflow.DecoderError, "pip install"):
                shown(jpeg(0)).array()
        with self.assertRaises(streamflow.UsageError):
            shown(jpeg(0)).array("hsv")
