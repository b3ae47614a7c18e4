/* console.c: text out, one command in. */
#include "nb_harness.h"

char nb_command[NB_COMMAND_BYTES];
bool nb_command_too_long;
static uint32_t command_used;
static bool line_open;

void nb_put(char c)
{
    line_open = true;
    nb_crc = nb_crc_step(nb_crc, (uint8_t)c);
    nb_hal_putc((uint8_t)c);
}

void nb_put_text(const char *text)
{
    while (*text != '\0') {
        nb_put(*text++);
    }
}

void nb_put_u64(uint64_t value)
{
    char digits[20];
    uint32_t count = 0;
    do {
        uint32_t digit;
        value = nb_divide(value, 10, &digit);
        digits[count++] = (char)('0' + digit);
    } while (value != 0);
    while (count != 0) {
        nb_put(digits[--count]);
    }
}

void nb_put_i32(int32_t value)
{
    uint32_t magnitude = (uint32_t)value;
    if (value < 0) {
        nb_put('-');
        magnitude = 0u - magnitude;
    }
    nb_put_u64(magnitude);
}

void nb_put_hex(uint32_t value, uint32_t digits)
{
    while (digits != 0) {
        const uint32_t nibble = (value >> (4 * --digits)) & 15u;
        nb_put((char)(nibble < 10 ? '0' + nibble : 'a' - 10 + nibble));
    }
}

void nb_put_milli(int32_t milli)
{
    uint32_t rest;
    uint32_t magnitude = (uint32_t)milli;
    if (milli < 0) {
        nb_put('-');
        magnitude = 0u - magnitude;
    }
    nb_put_u64(nb_divide(magnitude, 1000, &rest));
    nb_put('.');
    for (uint32_t place = 100; place != 0; place /= 10) {
        nb_put((char)('0' + rest / place % 10));
    }
}

void nb_put_end(void)
{
    nb_put_text("\r\n");
    line_open = false;
}

void nb_put_line(const char *text)
{
    nb_put_text(text);
    nb_put_end();
}

void nb_put_number(const char *text, uint32_t value)
{
    nb_put_text(text);
    nb_put_u64(value);
    nb_put_end();
}

void nb_put_error(const char *text)
{
    nb_put_text("e-[");
    nb_put_text(text);
    nb_put_line("]");
}

void nb_put_fresh(void)
{
    if (line_open) {
        nb_put_end();
    }
}

/* Line ends and NUL (a break on the line) mean nothing; what cannot be printed becomes '?', so that
 * noise never turns into a valid command. */
bool nb_console_take(uint8_t byte)
{
    if (byte == '%') {
        nb_command[command_used] = '\0';
        command_used = 0;
        return true;
    }
    if (byte == '\r' || byte == '\n' || byte == '\0') {
        return false;
    }
    if (command_used == 0) {
        nb_command_too_long = false;
    }
    if (command_used == NB_COMMAND_BYTES - 1) {
        nb_command_too_long = true;
    } else {
        nb_command[command_used++] = (byte < 0x20 || byte > 0x7e) ? '?' : (char)byte;
    }
    return false;
}

void nb_console_forget(void)
{
    command_used = 0;
    nb_command_too_long = false;
}
