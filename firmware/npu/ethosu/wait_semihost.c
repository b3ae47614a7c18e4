/* wait_semihost.c: on the virtual board the NPU is a process of the host that sees the register page
 * in shared memory but not the accesses to it. One byte through a FIFO rings its doorbell; reading
 * one byte from another waits for its answer. Both are semihosting calls (Arm's "Semihosting for
 * AArch32 and AArch64": operation in r0, block of arguments in r1, BKPT 0xAB), which take the same
 * number of instructions however long the host takes. The FIFOs lie in QEMU's working directory. */
#include "nb_ethosu.h"

#if NB_ETHOSU_WAIT_SEMIHOST

#define SYS_OPEN 0x01
#define SYS_WRITE 0x05
#define SYS_READ 0x06
#define MODE_READ 0u
#define MODE_WRITE 5u

static const char request_path[] = "npu-request";
static const char answer_path[] = "npu-answer";
static int32_t request = -1;
static int32_t answer = -1;

static int32_t semihost(int32_t operation, const uintptr_t *block)
{
    register int32_t r0 __asm("r0") = operation;
    register const uintptr_t *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int32_t open_fifo(const char *path, uint32_t length, uint32_t mode)
{
    const uintptr_t block[3] = {(uintptr_t)path, mode, length};
    return semihost(SYS_OPEN, block);
}

/* Both calls return the number of bytes that were not transferred. */
static int32_t transfer(int32_t operation, int32_t handle, uint8_t *byte)
{
    const uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)byte, 1};
    return semihost(operation, block);
}

int32_t nb_ethosu_wait(nb_ethosu_event event)
{
    uint8_t byte = (uint8_t)event;
    if (request < 0) {
        request = open_fifo(request_path, sizeof request_path - 1, MODE_WRITE);
        answer = open_fifo(answer_path, sizeof answer_path - 1, MODE_READ);
    }
    if (request < 0 || answer < 0 || transfer(SYS_WRITE, request, &byte) != 0) {
        return -1;
    }
    return transfer(SYS_READ, answer, &byte) != 0 ? -1 : 0;
}

#endif
