#!/usr/bin/env python3
"""A folder as a slow network drive shows it, read-only: speaks the kernel's FUSE protocol itself, and needs root.

    slow_disk.py FOLDER MOUNT_POINT [--delay-ms 5] [--stall-ms 200 --stall-every 50] [--short] [--error EIO --error-after BYTES]

Every read waits, every so many stall. --short: reads give less than was asked for, as read(2) may, but for whole pages: those the kernel
asks for itself, for a mapped file, and takes a short answer for the file's end. --error: reads beyond so many bytes fail. Stops at SIGTERM.
"""
import argparse
import ctypes
import errno
import os
import random
import signal
import struct
import threading
import time
from pathlib import Path

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, INIT, OPENDIR, READDIR, INTERRUPT, DESTROY, BATCH_FORGET = 1, 2, 3, 14, 15, 17, 26, 27, 28, 36, 38, 42
RELEASE, FLUSH, RELEASEDIR, ACCESS = 18, 25, 29, 34
ROOT, DIRECT_IO, SEARCH_AND_READ = 1, 1, 0o555


class Disk:
    def __init__(self, options):
        self.options = options
        self.names = sorted(p.name for p in options.folder.iterdir() if p.is_file())
        self.files = [os.open(options.folder / name, os.O_RDONLY) for name in self.names]
        self.reads, self.chance = 0, random.Random(1)
        self.device = os.open("/dev/fuse", os.O_RDWR)
        what = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other,max_read=131072".encode()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"slow_disk", os.fsencode(options.mount_point), b"fuse", 1 | 2 | 4, what) != 0:  # read-only, no set-uid, no devices
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def attributes(self, node):
        size = 0 if node == ROOT else os.fstat(self.files[node - 2]).st_size
        mode = (0o040000 if node == ROOT else 0o100000) | SEARCH_AND_READ
        return struct.pack("<6Q10I", node, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def read(self, node, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        o = self.options
        self.reads += 1
        time.sleep((o.stall_ms if self.reads % o.stall_every == 0 else o.delay_ms) / 1000)
        if o.error and offset + size > o.error_after:
            raise OSError(getattr(errno, o.error), "")
        if o.short and size > 1 and (offset % 4096 or size % 4096):
            size = self.chance.randrange(1, size)
        return os.pread(self.files[node - 2], size, offset)

    def answer(self, opcode, node, body):
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHHI7I", 7, 31, 131072, 0, 16, 12, 4096, 1, 0, 0, 0, *[0] * 7)
        if opcode == LOOKUP:
            name = os.fsdecode(body[:body.index(0)])
            if node != ROOT or name not in self.names:
                raise OSError(errno.ENOENT, "")
            found = self.names.index(name) + 2
            return struct.pack("<QQQQII", found, 0, 1, 1, 0, 0) + self.attributes(found)
        if opcode == GETATTR:
            return struct.pack("<QII", 1, 0, 0) + self.attributes(node)
        if opcode in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, DIRECT_IO if self.options.short and opcode == OPEN else 0, 0)
        if opcode == READ:
            return self.read(node, body)
        if opcode == READDIR:
            return b""  # nobody lists it
        if opcode == STATFS:
            return struct.pack("<5Q4I6I", 0, 0, 0, len(self.names), 0, 4096, 255, 4096, 0, *[0] * 6)
        if opcode in (RELEASE, RELEASEDIR, FLUSH, ACCESS):
            return b""
        raise OSError(errno.ENOSYS, "")

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 18)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                return  # not mounted any more
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            if opcode in (FORGET, BATCH_FORGET, INTERRUPT, DESTROY):  # nothing is answered
                continue
            try:
                code, out = 0, self.answer(opcode, node, request[40:])
            except OSError as error:
                code, out = -error.errno, b""
            try:
                os.write(self.device, struct.pack("<IiQ", 16 + len(out), code, unique) + out)
            except OSError:
                pass  # who asked is gone


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("mount_point", type=Path)
    parser.add_argument("--delay-ms", type=float, default=5)
    parser.add_argument("--stall-ms", type=float, default=200)
    parser.add_argument("--stall-every", type=int, default=50)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--error", default="")
    parser.add_argument("--error-after", type=int, default=0)
    disk = Disk(parser.parse_args())
    for _ in range(8):
        threading.Thread(target=disk.serve, daemon=True).start()
    print("mounted", flush=True)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    ctypes.CDLL(None).umount2(os.fsencode(disk.options.mount_point), 2)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    main()
