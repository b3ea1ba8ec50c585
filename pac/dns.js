/* Where a name leads that nothing else is said of. */
function proxyd_resolved(host) {
    var digits = dnsResolve(host);
    if (digits)
        digits = digits.indexOf(":") < 0 ? proxyd_v4(digits) : proxyd_v6(digits);
    return digits ? proxyd_net(digits) : undefined;
}
