"""PyPI `fer` over frames from a file; `benchmarks.peer` runs it in an environment of its own.

It answers each number of a frame, a line on standard input, with a line: the
milliseconds that took and the number of faces.
"""

import sys
import time

import cv2
import numpy as np
from fer.fer import FER  # PyPI's, not ours: this file's folder holds no `fer`

cv2.setNumThreads(1)
frames, detector = np.load(sys.argv[1], mmap_mode="r"), FER(mtcnn=False)
print("ready", flush=True)
for line in sys.stdin:
    frame = np.array(frames[int(line)])
    start = time.perf_counter()
    faces = detector.detect_emotions(frame)
    print((time.perf_counter() - start) * 1e3, len(faces), flush=True)
