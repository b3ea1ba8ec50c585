function proxyd_times(a, b) {
    return ((a & 65535) * b + (((a >>> 16) * b) & 65535) * 65536) >>> 0;
}
/* FNV-1a, and the end of MurmurHash3. */
function proxyd_hash(text) {
    var h = 2166136261, i;
    for (i = 0; i < text.length; i++)
        h = proxyd_times(h ^ text.charCodeAt(i), 16777619);
    h = proxyd_times(h ^ (h >>> 16), 2246822507);
    h = proxyd_times(h ^ (h >>> 13), 3266489909);
    return (h ^ (h >>> 16)) >>> 0;
}
/* Each proxy draws a number for the host, and the highest one has it: a proxy more or less moves
   only the hosts that it gets or had. */
function proxyd_row(host) {
    var row = [], text = [], i;
    for (i = 0; i < proxyd_proxies.length; i++)
        row[i] = [proxyd_hash(proxyd_proxies[i] + "|" + host), proxyd_proxies[i]];
    row.sort(function (a, b) {
        return a[0] === b[0] ? (a[1] < b[1] ? -1 : 1) : b[0] - a[0];
    });
    for (i = 0; i < row.length; i++)
        text[i] = row[i][1];
    return text.join("; ");
}
