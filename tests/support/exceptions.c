/* exceptions.c: what a Cortex-M does on exceptions, told on a CMSDK UART, one short line per check.
 * The same image runs on QEMU and on the board models; their texts must be equal.
 * NB_UART: address of the UART. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART_DATA REGISTER(NB_UART + 0u)
#define UART_STATE REGISTER(NB_UART + 4u)
#define UART_CTRL REGISTER(NB_UART + 8u)
#define UART_BAUD REGISTER(NB_UART + 16u)
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define ISER0 REGISTER(0xE000E100u)
#define ICER0 REGISTER(0xE000E180u)
#define ISPR0 REGISTER(0xE000E200u)
#define IPR0 REGISTER(0xE000E400u)
#define ICSR REGISTER(0xE000ED04u)
#define SHPR2 REGISTER(0xE000ED1Cu)
#define SHPR3 REGISTER(0xE000ED20u)
#define SHCSR REGISTER(0xE000ED24u)
#define CFSR REGISTER(0xE000ED28u)
#define HFSR REGISTER(0xE000ED2Cu)
#define BFAR REGISTER(0xE000ED38u)
#define CPACR REGISTER(0xE000ED88u)
#define NOWHERE 0xBF000000u
#define SYNC() __asm volatile("dsb\n isb" ::: "memory")

extern uint32_t _stack_top[], _bss_start[], _bss_end[];
static uint32_t process_stack[128] __attribute__((aligned(8)));
static volatile uint32_t ticks;
static volatile uint32_t clobber_floats;
static volatile uint32_t pend_in_svc;

static void put(char c)
{
    while ((UART_STATE & 1u) != 0) {
    }
    UART_DATA = (uint32_t)c;
}

static void text(const char *s)
{
    while (*s != '\0') {
        put(*s++);
    }
}

static void hex(uint32_t value, uint32_t digits)
{
    while (digits != 0) {
        digits--;
        put("0123456789abcdef"[value >> (4u * digits) & 15u]);
    }
}

/* frame: r0-r3, r12, lr, pc, psr; from: EXC_RETURN */
__attribute__((used)) static void svc(uint32_t *frame, uint32_t from)
{
    const uint8_t number = ((const uint8_t *)frame[6])[-2];
    text("svc ");
    hex(number, 2);
    put(' ');
    hex(from, 2);
    put(' ');
    hex(frame[0], 2);
    if (clobber_floats != 0) {
        __asm volatile("vmov s0, %0\n vmov s7, %0\n vmov s15, %0" ::"r"(0x12345678u)
                       : "s0", "s7", "s15");
    }
    frame[0] += number;
    if (pend_in_svc != 0) {
        ICSR = 1u << 28;
        SYNC();
        put('<');
    }
}

__attribute__((used)) static void fault(uint32_t *frame, uint32_t from)
{
    uint32_t number;
    __asm volatile("mrs %0, ipsr" : "=r"(number));
    text("fault ");
    hex(number, 1);
    put(' ');
    hex(from, 2);
    put(' ');
    hex(CFSR, 8);
    put(' ');
    hex(HFSR, 8);
    if ((CFSR & 0x8000u) != 0) {
        put(' ');
        hex(BFAR, 8);
    }
    CFSR = CFSR;
    HFSR = HFSR;
    const uint16_t first = *(const uint16_t *)frame[6];
    frame[6] += first >= 0xE800u ? 4u : 2u;
}

#define HANDLER(name, target)                                                                      \
    __attribute__((naked)) static void name(void)                                                  \
    {                                                                                              \
        __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n mov r1, lr\n"        \
                       "b " #target);                                                              \
    }
HANDLER(svc_handler, svc)
HANDLER(fault_handler, fault)

static void pendsv_handler(void)
{
    text("pendsv ");
}

static void systick_handler(void)
{
    ticks++;
}

static void outer_handler(void)
{
    text("outer(");
    ISPR0 = 2;
    SYNC();
    text(")outer ");
}

static void inner_handler(void)
{
    text("inner ");
}

static uint32_t call(uint32_t value)
{
    register uint32_t r0 __asm("r0") = value;
    __asm volatile("svc #7" : "+r"(r0)::"r1", "r2", "r3", "r12", "memory");
    return r0;
}

static void line(const char *name)
{
    text("\n");
    text(name);
    text(": ");
}

static void check_faults(void)
{
    line("udf");
    __asm volatile("udf #1" ::: "memory");
    line("load");
    __asm volatile("ldr r3, [%0]" ::"r"(NOWHERE) : "r3", "memory");
    line("load wide");
    __asm volatile("ldr.w r3, [%0, #64]" ::"r"(NOWHERE) : "r3", "memory");
    line("udf enabled");
    SHCSR |= 1u << 18;
    __asm volatile("udf.w #2" ::: "memory");
    SHCSR = 0;
}

static void check_floats(void)
{
    uint32_t kept[3];
    line("floats");
    clobber_floats = 1;
    register uint32_t r0 __asm("r0") = 1;
    __asm volatile("vmov s0, %4\n vmov s7, %5\n vmov s15, %6\n svc #7\n"
                   "vmov %1, s0\n vmov %2, s7\n vmov %3, s15"
                   : "+r"(r0), "=&r"(kept[0]), "=&r"(kept[1]), "=&r"(kept[2])
                   : "r"(0x40000000u), "r"(0x40100000u), "r"(0x40200000u)
                   : "s0", "s7", "s15", "memory");
    clobber_floats = 0;
    for (uint32_t i = 0; i < 3; i++) {
        put(' ');
        hex(kept[i], 8);
    }
}

static void check_process_stack(void)
{
    line("psp");
    __asm volatile("msr psp, %0\n mrs r3, control\n orr r3, #2\n msr control, r3\n isb\n"
                   "movs r0, #3\n svc #9\n"
                   "mrs r3, control\n bic r3, #2\n msr control, r3\n isb" ::"r"(process_stack + 128)
                   : "r0", "r1", "r2", "r3", "r12", "memory");
}

static void check_masks(void)
{
    line("primask");
    __asm volatile("cpsid i" ::: "memory");
    ISPR0 = 2;
    SYNC();
    text("masked ");
    __asm volatile("cpsie i\n isb" ::: "memory");
    line("basepri");
    __asm volatile("msr basepri, %0\n isb" ::"r"(0x40u) : "memory");
    ISPR0 = 3;
    SYNC();
    text("masked ");
    __asm volatile("msr basepri, %0\n isb" ::"r"(0u) : "memory");
}

static void check_systick(void)
{
    line("systick");
    SYST_RVR = 20000;
    SYST_CVR = 0;
    SYST_CSR = 7;
    while (ticks < 3) {
    }
    SYST_CSR = 0;
    hex(ticks, 1);
    line("asleep");
    __asm volatile("cpsid i" ::: "memory");
    SYST_CVR = 0;
    SYST_CSR = 7;
    __asm volatile("dsb\n wfi\n isb" ::: "memory");
    SYST_CSR = 0;
    hex(ICSR >> 26 & 1u, 1);
    ICSR = 1u << 25;
    __asm volatile("cpsie i\n isb" ::: "memory");
    hex(ticks, 1);
}

__attribute__((noreturn, used)) static void run(void)
{
    for (volatile uint32_t *word = _bss_start; word != _bss_end; word++) {
        *word = 0;
    }
    UART_BAUD = 16;
    UART_CTRL = 1;
    text("begin");
    line("svc");
    put(' ');
    hex(call(5), 2);
    line("pendsv");
    SHPR3 = 0xFFu << 16;
    ICSR = 1u << 28;
    SYNC();
    line("tail");
    pend_in_svc = 1;
    (void)call(1);
    pend_in_svc = 0;
    line("nesting");
    IPR0 = 0x2080u; /* IRQ 0: 0x80, IRQ 1: 0x20 */
    ISER0 = 3;
    ISPR0 = 1;
    SYNC();
    check_masks();
    ICER0 = 3;
    check_process_stack();
    check_faults();
    check_systick();
    CPACR |= 0xFu << 20;
    SYNC();
    check_floats();
    text("\nend\n");
    for (;;) {
    }
}

__attribute__((naked, noreturn)) static void reset_handler(void)
{
    __asm volatile("ldr r0, =_stack_top\n mov sp, r0\n b run\n .ltorg");
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[] = {
    (uintptr_t)_stack_top,
    (uintptr_t)reset_handler,
    (uintptr_t)fault_handler,
    (uintptr_t)fault_handler,
    (uintptr_t)fault_handler,
    (uintptr_t)fault_handler,
    (uintptr_t)fault_handler,
    (uintptr_t)fault_handler,
    0,
    0,
    0,
    (uintptr_t)svc_handler,
    (uintptr_t)fault_handler,
    0,
    (uintptr_t)pendsv_handler,
    (uintptr_t)systick_handler,
    (uintptr_t)outer_handler,
    (uintptr_t)inner_handler,
};
