function FindProxyForURL(url, host) {
    host = host.toLowerCase().replace(/^\[|\]$/g, "").replace(/\.$/, "");
    if (proxyd_is_direct(host))
        return "DIRECT";
    return proxyd_row(host) + proxyd_fallback;
}
