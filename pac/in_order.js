function proxyd_row(host) {
    return proxyd_proxies.join("; ");
}
