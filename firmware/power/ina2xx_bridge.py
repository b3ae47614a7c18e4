# ruff: noqa: I002, T201, UP031
# npubench's bridge for an INA219, INA226 or INA228: copy to a CircuitPython board as code.py, with
# the matching driver (adafruit_ina219, adafruit_ina228; the INA226 needs none) in lib/. Set CHIP
# and, for an INA226, the shunt. Wire SDA/SCL to the sensor and the board's three stage-code pins to
# D2, D3, D4 (lowest bit first), with a common ground.
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

if CHIP == "INA219":
    from adafruit_ina219 import INA219 as Sensor
elif CHIP == "INA226":

    class Sensor:
        """Registers of TI's SBOS547: 2.5 uV and 1.25 mV a bit, conversions of 332 us."""

        def __init__(self, bus):
            self.bus = bus
            while not bus.try_lock():
                pass
            bus.writeto(0x40, bytes((0x00, 0x40, 0x97)))

        def register(self, number):
            data = bytearray(2)
            self.bus.writeto_then_readfrom(0x40, bytes((number,)), data)
            value = data[0] << 8 | data[1]
            return value - 0x10000 if value & 0x8000 else value

        @property
        def bus_voltage(self):
            return self.register(0x02) * 1.25e-3

        @property
        def current(self):
            return self.register(0x01) * 2.5e-3 / SHUNT_OHMS

else:
    from adafruit_ina228 import INA228 as Sensor


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
            print("# npubench-ina2xx %s %s %d" % (CHIP, serial, PERIOD_US))
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
    millivolts = sensor.bus_voltage * 1000
    microamps = sensor.current * 1000
    body = "%d,%.2f,%.2f,%d" % ((now_ns - start_ns) // 1000, millivolts, microamps, code)
    print("%s*%02x" % (body, crc8(body)))
