/* hal.c (native): the firmware as a POSIX process, here or under a board's own Linux. Console on standard input and output (the host
 * gives it a pty), the harness on a painted stack of NB_STACK_BYTES, faults from signals, reset by
 * running the program again. It ends when standard input is closed. */
#define _GNU_SOURCE 1

#include "nb_hal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "nb_boot.h"
#include "nb_hal_counter.h"

#define NOINIT_VARIABLE "NB_NATIVE_NOINIT"
/* An idle console gives the processor back to the host for so long at most. */
#define IDLE_POLL_MS 20

uint32_t _nb_stack_limit[NB_STACK_BYTES / 4] __attribute__((aligned(64)));

static char **arguments;
static uint8_t output[1024];
static size_t output_used;

_Static_assert(1000000000u % NB_HAL_COUNTER_HZ == 0, "whole nanoseconds per count");

uint32_t nb_native_count(uint32_t hz)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * hz + (uint64_t)now.tv_nsec / (1000000000u / hz));
}

void nb_hal_init(void)
{
}

void nb_hal_flush(void)
{
    size_t sent = 0;
    while (sent < output_used) {
        const ssize_t count = write(STDOUT_FILENO, &output[sent], output_used - sent);
        if (count > 0) {
            sent += (size_t)count;
        } else if (errno != EINTR && errno != EAGAIN) {
            _exit(0); /* nobody listens any more */
        }
    }
    output_used = 0;
}

void nb_hal_putc(uint8_t byte)
{
    if (output_used == sizeof output) {
        nb_hal_flush();
    }
    output[output_used++] = byte;
}

/* End of file, or the error that a pty gives when its other side has gone, ends the process. */
int nb_hal_getc(void)
{
    static uint8_t input[256];
    static size_t input_used, input_taken;
    if (input_taken == input_used) {
        struct pollfd waiting = {.fd = STDIN_FILENO, .events = POLLIN};
        nb_hal_flush();
        if (poll(&waiting, 1, IDLE_POLL_MS) <= 0) {
            return -1;
        }
        const ssize_t count = read(STDIN_FILENO, input, sizeof input);
        if (count <= 0) {
            if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
                return -1;
            }
            _exit(0);
        }
        input_used = (size_t)count;
        input_taken = 0;
    }
    return input[input_taken++];
}

/* A pty has no speed: any is as good as another. */
bool nb_hal_set_baud(uint32_t baud)
{
    return baud != 0;
}

void nb_hal_timestamp(bool high)
{
    (void)high;
}

void nb_hal_marker(uint32_t code)
{
    (void)code;
}

void nb_hal_wait_us(uint32_t us)
{
    const uint32_t begin = nb_native_count(1000000u);
    while (nb_native_count(1000000u) - begin < us) {
    }
}

bool nb_hal_idle(uint32_t ms)
{
    (void)ms;
    return false;
}

void nb_hal_cache_clean(const void *data, size_t bytes)
{
    (void)data;
    (void)bytes;
}

void nb_hal_cache_invalidate(void *data, size_t bytes)
{
    (void)data;
    (void)bytes;
}

/* The same process runs its program anew; .noinit travels in the environment. Signals that are
 * blocked because we come from a handler would stay so. */
_Noreturn void nb_hal_reset(void)
{
    char text[2 * sizeof nb_noinit + 1];
    const uint8_t *bytes = (const uint8_t *)&nb_noinit;
    sigset_t none;
    nb_hal_flush();
    for (size_t i = 0; i < sizeof nb_noinit; i++) {
        (void)snprintf(&text[2 * i], 3, "%02x", bytes[i]);
    }
    (void)setenv(NOINIT_VARIABLE, text, 1);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv("/proc/self/exe", arguments);
    (void)execv(arguments[0], arguments);
    _exit(1);
}

static void noinit_restore(void)
{
    const char *text = getenv(NOINIT_VARIABLE);
    uint8_t *bytes = (uint8_t *)&nb_noinit;
    if (text == NULL || strlen(text) != 2 * sizeof nb_noinit) {
        return;
    }
    for (size_t i = 0; i < sizeof nb_noinit; i++) {
        const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    nb_fault fault = {
        .kind = number == SIGILL   ? NB_FAULT_USAGE
                : number == SIGBUS ? NB_FAULT_BUS
                                   : NB_FAULT_MEM,
        .addr = (uintptr_t)info->si_addr,
    };
#if defined(__x86_64__)
    fault.pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__) && defined(__linux__)
    fault.pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.pc;
    fault.lr = (uintptr_t)((ucontext_t *)context)->uc_mcontext.regs[30];
#elif defined(__riscv) && defined(__linux__)
    fault.pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.__gregs[REG_PC];
    fault.lr = (uintptr_t)((ucontext_t *)context)->uc_mcontext.__gregs[REG_RA];
#else
    (void)context;
#endif
    if (number == SIGFPE) {
        fault.kind = NB_FAULT_USAGE;
    }
    nb_fault_report(&fault);
}

/* On a stack of their own: the harness's may be what overflowed. */
static void catch_faults(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    static uint8_t memory[65536];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    (void)sigaltstack(&stack, NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaction(numbers[i], &action, NULL);
    }
}

static void raw_console(void)
{
    struct termios console;
    if (tcgetattr(STDIN_FILENO, &console) == 0) {
        cfmakeraw(&console);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &console);
    }
}

static void on_painted_stack(void)
{
    nb_main();
}

int main(int argc, char **argv)
{
    static ucontext_t harness;
    (void)argc;
    arguments = argv;
    raw_console();
    noinit_restore();
    catch_faults();
    for (size_t i = 0; i < NB_STACK_BYTES / 4; i++) {
        _nb_stack_limit[i] = NB_STACK_PAINT;
    }
    (void)getcontext(&harness);
    harness.uc_stack.ss_sp = _nb_stack_limit;
    harness.uc_stack.ss_size = sizeof _nb_stack_limit;
    makecontext(&harness, on_painted_stack, 0);
    (void)setcontext(&harness);
    return 1;
}
