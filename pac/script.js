function proxyd_hex(n, digits) {
    var s = n.toString(16);
    while (s.length < digits)
        s = "0" + s;
    return s;
}
/* An IPv4 address in any spelling that URLs know: 1 to 4 parts, octal, decimal or hexadecimal, the
   last of which fills the rest. As 8 digits, or null. */
function proxyd_v4(host) {
    var parts = host.split("."), value = 0, last = parts.length - 1, i, n;
    if (last > 3)
        return null;
    for (i = 0; i <= last; i++) {
        if (/^0x[0-9a-f]*$/.test(parts[i]))
            n = parts[i].length > 2 ? parseInt(parts[i].substring(2), 16) : 0;
        else if (/^0[0-7]*$/.test(parts[i]))
            n = parseInt(parts[i], 8);
        else if (/^[1-9][0-9]*$/.test(parts[i]))
            n = parseInt(parts[i], 10);
        else
            return null;
        if (n >= (i < last ? 256 : Math.pow(256, 4 - last)))
            return null;
        value = value * (i < last ? 256 : Math.pow(256, 4 - last)) + n;
    }
    return proxyd_hex(value, 8);
}
/* An IPv6 address as 32 digits, a mapped IPv4 address as 8; or null. */
function proxyd_v6(host) {
    var end = /^(.*:)([0-9]+(\.[0-9]+){3})$/.exec(host), halves, left, right, all = "", i, four;
    if (end) {
        four = proxyd_v4(end[2]);
        if (four === null)
            return null;
        host = end[1] + four.substring(0, 4) + ":" + four.substring(4);
    }
    halves = host.split("::");
    left = halves[0] === "" ? [] : halves[0].split(":");
    right = halves.length < 2 || halves[1] === "" ? [] : halves[1].split(":");
    i = 8 - left.length - right.length;
    if (halves.length > 2 || (halves.length === 2 ? i < 1 : i !== 0))
        return null;
    for (; i > 0; i--)
        left[left.length] = "0";
    left = left.concat(right);
    for (i = 0; i < 8; i++) {
        if (!/^[0-9a-f]{1,4}$/.test(left[i]))
            return null;
        all += "0000".substring(left[i].length) + left[i];
    }
    return all.substring(0, 24) === "00000000000000000000ffff" ? all.substring(24) : all;
}
/* Is it direct? undefined: nothing is said of it. */
function proxyd_net(digits) {
    var i, net;
    for (i = 0; i < proxyd_nets.length; i++) {
        net = proxyd_nets[i];
        if (net[0].length === digits.length && digits >= net[0] && digits <= net[1])
            return net[2];
    }
    return undefined;
}
function proxyd_has(key) {
    return Object.prototype.hasOwnProperty.call(proxyd_names, key);
}
function proxyd_name(host) {
    var rest = host, dot;
    if (proxyd_has("=" + host))
        return proxyd_names["=" + host];
    while ((dot = rest.indexOf(".", 1)) > 0) {
        rest = rest.substring(dot);
        if (proxyd_has(rest))
            return proxyd_names[rest];
    }
    return undefined;
}
function proxyd_is_direct(host) {
    var digits = host.indexOf(":") < 0 ? proxyd_v4(host) : proxyd_v6(host), said;
    if (digits !== null)
        said = proxyd_net(digits);
    else
        said = proxyd_name(host);
    if (said === undefined && digits === null && !/[.:]/.test(host))
        said = proxyd_plain;
    if (said === undefined && digits === null && proxyd_resolved)
        said = proxyd_resolved(host);
    if (said === undefined)
        said = proxyd_rest;
    return said === 1;
}
