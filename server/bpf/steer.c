/*
 * Hands every datagram for one of the server's RTP ports to the socket of the port's worker
 * (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9). All other traffic is looked up as ever. build.sh makes
 * steer.o of it; server/src/media_io/steered/steering.rs loads it and fills the tables.
 */
#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10
#define barrier() asm volatile("" ::: "memory")

/* The layout that loaders know from before BTF. */
struct table {
	__u32 type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 flags;
};

/* Where ports are bound: which families, all addresses or one, and that one, in network order. */
struct place {
	__u32 v4;
	__u32 v6;
	__u32 any;
	__u32 address[4];
};

/* By port: 0, not ours; else the place in the upper 16 bits, one more than the worker below. */
struct table SEC("maps") ports = {
	.type = BPF_MAP_TYPE_ARRAY,
	.key_size = sizeof(__u32),
	.value_size = sizeof(__u32),
	.max_entries = 65536,
};

struct table SEC("maps") places = {
	.type = BPF_MAP_TYPE_ARRAY,
	.key_size = sizeof(__u32),
	.value_size = sizeof(struct place),
	.max_entries = 64,
};

/* Two a worker: its socket for IPv4, then that for IPv6. */
struct table SEC("maps") sockets = {
	.type = BPF_MAP_TYPE_SOCKMAP,
	.key_size = sizeof(__u32),
	.value_size = sizeof(__u32),
	.max_entries = 1024,
};

/* Everything is read before anything is decided: an address that was reckoned on two ways is none
 * to the verifier, and none without CAP_PERFMON. */
static __always_inline int is_at(const struct place *place, const struct bpf_sk_lookup *ctx)
{
	__u32 differs_v4 = ctx->local_ip4 ^ place->address[0];
	__u32 differs_v6 = (ctx->local_ip6[0] ^ place->address[0]) |
			   (ctx->local_ip6[1] ^ place->address[1]) |
			   (ctx->local_ip6[2] ^ place->address[2]) |
			   (ctx->local_ip6[3] ^ place->address[3]);
	__u32 v4 = place->v4, v6 = place->v6, any = place->any;

	barrier();
	if (ctx->family == AF_INET)
		return v4 && (any || !differs_v4);
	return ctx->family == AF_INET6 && v6 && (any || !differs_v6);
}

SEC("sk_lookup/steer")
int steer(struct bpf_sk_lookup *ctx)
{
	if (ctx->protocol != IPPROTO_UDP)
		return SK_PASS;
	__u32 port = ctx->local_port;
	const __u32 *owner = bpf_map_lookup_elem(&ports, &port);
	if (!owner || !*owner)
		return SK_PASS;
	__u32 index = *owner >> 16;
	const struct place *place = bpf_map_lookup_elem(&places, &index);
	if (!place || !is_at(place, ctx))
		return SK_PASS;
	__u32 key = 2 * ((*owner & 0xffff) - 1) + (ctx->family == AF_INET6);
	struct bpf_sock *socket = bpf_map_lookup_elem(&sockets, &key);
	if (!socket)
		return SK_PASS;
	bpf_sk_assign(ctx, socket, 0);
	bpf_sk_release(socket);
	return SK_PASS;
}

/* It calls nothing that the kernel keeps for programs under the GPL. */
char _license[] SEC("license") = "Apache-2.0 OR MIT";
