/* fault.c: the last words of a firmware that failed, and a fresh start. */
#include "nb_harness.h"

static const char *kind_name(nb_fault_kind kind)
{
    switch (kind) {
    case NB_FAULT_BUS:
        return "bus";
    case NB_FAULT_USAGE:
        return "usage";
    case NB_FAULT_MEM:
        return "mem";
    case NB_FAULT_NPU:
        return "npu";
    default:
        return "hard";
    }
}

_Noreturn void nb_fault_report(const nb_fault *fault)
{
    static bool reporting;
    if (!reporting) {
        reporting = true;
        nb_put_fresh();
        nb_record("'t':'fault','kind':'%s','pc':%q,'lr':%q,'psr':%u,'cfsr':%u,'hfsr':%u,"
                  "'addr':%q",
                  kind_name(fault->kind), (uint64_t)fault->pc, (uint64_t)fault->lr, fault->psr,
                  fault->cfsr, fault->hfsr, (uint64_t)fault->addr);
        nb_hal_flush();
    }
    nb_hal_reset();
}
