/* Put before the C library of user-mode Linux, which knows processors up to AVX-512: it asks for
 * the first part of a process's vector registers, and sets that part. But the kernel takes them
 * only as a whole (xstateregs_set() in Linux), and with AMX there is more. So the rest of them, as
 * it is, is put behind the part. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

/* Where the list is of the components that are in use, a bit each (Intel's manual, 13.4.2). */
enum { HEADER = 512 };

/* The components that lie below this length. */
static uint64_t within(size_t length)
{
    uint64_t components = 0x3;
    if (length >= 832)
        components |= 0x4;
    if (length >= 2688)
        components |= 0xf8;
    if (length >= 2696)
        components |= 0x200;
    return components;
}

/* The stacks of kernels are short, so nothing large lies on them, and nothing is looked up. */
static char registers[1 << 14];
static long (*next)(enum __ptrace_request, ...);

__attribute__((constructor)) static void find_next(void)
{
    *(void **)&next = dlsym(RTLD_NEXT, "ptrace");
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    int pid = va_arg(arguments, int);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);
    if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE) {
        struct iovec *part = data, whole = {registers, sizeof registers};
        if (!next(PTRACE_GETREGSET, pid, address, &whole) && whole.iov_len > part->iov_len) {
            uint64_t before, now, ours = within(part->iov_len);
            memcpy(&before, registers + HEADER, sizeof before);
            memcpy(registers, part->iov_base, part->iov_len);
            memcpy(&now, registers + HEADER, sizeof now);
            now = (now & ours) | (before & ~ours);
            memcpy(registers + HEADER, &now, sizeof now);
            return next(request, pid, address, &whole);
        }
    }
    return next(request, pid, address, data);
}
