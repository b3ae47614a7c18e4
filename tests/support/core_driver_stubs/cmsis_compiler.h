/* What Arm's core driver takes of CMSIS: two hints. */
#define __WFE() __asm volatile("wfe")
#define __SEV() __asm volatile("sev")
