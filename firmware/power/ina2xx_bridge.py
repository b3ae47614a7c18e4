# ruff: noqa: I002, T201, UP031
# npubench's bridge for an INA219, INA226 or INA228: copy to a CircuitPython board as code.py. It
# needs no library: libraries differ in whether their current is in amperes or milliamperes. Set
# CHIP and SHUNT_OHMS. Wire SDA/SCL to the sensor and the board's three stage-code pins to D2, D3,
# D4 (lowest bit first), with a common ground.
#
# Commands: "?" says who it is, "s" starts, "x" stops. A sample is one line t_us,mV,uA,code*crc with
# a CRC-8 (polynomial 7). Time, sensor and pins are read in one loop, so that they belong together.

import sys
import time

import board
import digitalio
import microcontroller
import supervisor

PERIOD_US = 2000
CHIP = "INA228"
SHUNT_OHMS = 0.1

# Registers of TI's data sheets SBOS448 (INA219), SBOS547 (INA226), SLYS021 (INA228): what to write
# into which register at the start, then register, bytes, bits to drop, and volts a bit of the shunt
# and of the bus; manufacturer's id where there is one.
CHIPS = {
    "INA219": (0x00, 0x399F, (0x01, 2, 0, 10e-6), (0x02, 2, 3, 4e-3), None),
    "INA226": (0x00, 0x4097, (0x01, 2, 0, 2.5e-6), (0x02, 2, 0, 1.25e-3), 0xFE),
    "INA228": (0x01, 0xB928, (0x04, 3, 4, 312.5e-9), (0x05, 3, 4, 195.3125e-6), 0x3E),
}
ADDRESS = 0x40
TI = 0x5449


class Sensor:
    """Shunt and bus voltage, read from the chip's registers."""

    def __init__(self, bus):
        self.bus = bus
        while not bus.try_lock():
            pass
        config, value, self.shunt, self.rail, maker = CHIPS[CHIP]
        if maker is not None and self.register(maker, 2, 0) != TI:
            raise RuntimeError("no %s at address 0x%02x" % (CHIP, ADDRESS))
        bus.writeto(ADDRESS, bytes((config, value >> 8, value & 0xFF)))

    def register(self, number, size, drop):
        data = bytearray(size)
        self.bus.writeto_then_readfrom(ADDRESS, bytes((number,)), data)
        value = 0
        for byte in data:
            value = value << 8 | byte
        if value >> (8 * size - 1):
            value -= 1 << (8 * size)
        return value >> drop

    def microamps(self):
        number, size, drop, volts = self.shunt
        return self.register(number, size, drop) * volts / SHUNT_OHMS * 1e6

    def millivolts(self):
        number, size, drop, volts = self.rail
        return self.register(number, size, drop) * volts * 1e3


def pin(where):
    made = digitalio.DigitalInOut(where)
    made.switch_to_input(pull=digitalio.Pull.DOWN)
    return made


def crc8(text):
    crc = 0
    for letter in text.encode():
        crc ^= letter
        for _ in range(8):
            crc = ((crc << 1) ^ 7) & 0xFF if crc & 0x80 else crc << 1
    return crc


sensor = Sensor(board.I2C())
pins = [pin(board.D2), pin(board.D3), pin(board.D4)]
serial = "".join("%02x" % byte for byte in microcontroller.cpu.uid)
running = False
start_ns = next_ns = time.monotonic_ns()

while True:
    while supervisor.runtime.serial_bytes_available:
        letter = sys.stdin.read(1)
        if letter == "?":
            print("# npubench-ina2xx %s %s %d %g" % (CHIP, serial, PERIOD_US, SHUNT_OHMS))
        elif letter == "s":
            running = True
            start_ns = next_ns = time.monotonic_ns()
        elif letter == "x":
            running = False
    if not running:
        continue
    now_ns = time.monotonic_ns()
    if now_ns < next_ns:
        continue
    next_ns += PERIOD_US * 1000
    code = pins[0].value | pins[1].value << 1 | pins[2].value << 2
    time_us = (now_ns - start_ns) // 1000
    body = "%d,%.2f,%.2f,%d" % (time_us, sensor.millivolts(), sensor.microamps(), code)
    print("%s*%02x" % (body, crc8(body)))
