/* Put before the C library of user-mode Linux, which tells a vhost-user server of the memory that
 * both share: it gives the size of a table of two regions, though there is one. virtiofsd does not
 * take that, since the size follows from the number of regions (VHOST_USER_SET_MEM_TABLE in QEMU's
 * vhost-user.rst). So the table is sent as long as it is. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <sys/socket.h>

enum { SET_MEM_TABLE = 5, REGION = 32 };

struct table {
    uint32_t request, flags, size; /* The size is of what follows. */
    uint32_t regions, padding;
    unsigned char region[2][REGION];
} __attribute__((packed));

static ssize_t (*next)(int, const struct msghdr *, int);

__attribute__((constructor)) static void find_next(void)
{
    *(void **)&next = dlsym(RTLD_NEXT, "sendmsg");
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags)
{
    struct iovec *part = message->msg_iov;
    struct table *table = part->iov_base;
    if (message->msg_iovlen != 1 || part->iov_len != sizeof *table
        || table->request != SET_MEM_TABLE || table->regions != 1)
        return next(socket, message, flags);
    table->size -= REGION;
    part->iov_len -= REGION;
    ssize_t sent = next(socket, message, flags);
    return sent < 0 ? sent : sent + REGION;
}
