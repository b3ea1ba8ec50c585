/* `proxyd nft`: the nftables rules that lead connections to a listener with `mode transparent`. */
#ifndef PROXYD_NFT_H
#define PROXYD_NFT_H

#include <stdbool.h>

enum { NFT_MANY = 8 };

struct nft_options {
    const char *config;        /* NULL: the built-in one */
    const char *listener;      /* NULL: the first that is transparent */
    const char *lan[NFT_MANY]; /* interfaces; none: the networks of the policy's `clients` */
    const char *ports;         /* "80,443" */
    const char *user; /* whose connections are left alone with `own`; NULL: the one of the file */
    bool own;         /* connections of this machine's own programs too */
    bool remove;      /* what takes them away */
};

/* Prints them. The exit code; what is wrong is told on standard error. */
int nft_run(const struct nft_options *o);

#endif
