/* What a script may call, as browsers have it. */
function isPlainHostName(host) {
    return host.indexOf(".") < 0 && host.indexOf(":") < 0;
}
function dnsDomainIs(host, domain) {
    host = host.toLowerCase();
    domain = domain.toLowerCase();
    return host.length >= domain.length && host.substring(host.length - domain.length) === domain;
}
function localHostOrDomainIs(host, full) {
    host = host.toLowerCase();
    full = full.toLowerCase();
    return host === full || (host.indexOf(".") < 0 && full.substring(0, host.length + 1) === host + ".");
}
function isResolvable(host) {
    return dnsResolve(host) !== null;
}
function convert_addr(address) {
    var part = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address), i, n = 0;
    if (!part)
        return null;
    for (i = 1; i <= 4; i++) {
        if (+part[i] > 255)
            return null;
        n = n * 256 + +part[i];
    }
    return n >>> 0;
}
function isInNet(host, net, mask) {
    var at = convert_addr(host), base = convert_addr(net), bits = convert_addr(mask);
    if (at === null)
        at = convert_addr(dnsResolve(host));
    if (at === null || base === null || bits === null)
        return false;
    return (at & bits) === (base & bits);
}
function dnsDomainLevels(host) {
    return host.split(".").length - 1;
}
/* Without a regular expression: one made of the pattern could take for ever. */
function shExpMatch(text, pattern) {
    var t = 0, p = 0, star = -1, from = 0;
    while (t < text.length) {
        if (p < pattern.length && pattern.charAt(p) === "*") {
            star = p++;
            from = t;
        } else if (p < pattern.length && (pattern.charAt(p) === "?" || pattern.charAt(p) === text.charAt(t))) {
            p++;
            t++;
        } else if (star >= 0) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.charAt(p) === "*")
        p++;
    return p === pattern.length;
}
var alert = function () {};
(function (global) {
    var days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    var months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    function place(list, word) {
        var i;
        for (i = 0; i < list.length; i++)
            if (list[i] === word)
                return i;
        return -1;
    }
    /* The arguments, without a final "GMT"; then the parts of the time. */
    function read(list) {
        var all = [], i, gmt, now = new Date(proxyd_now());
        for (i = 0; i < list.length; i++)
            all[i] = list[i];
        gmt = all.length > 0 && all[all.length - 1] === "GMT";
        if (gmt)
            all.pop();
        function get(what) {
            return gmt ? now["getUTC" + what]() : now["get" + what]();
        }
        return { list: all, get: get };
    }
    function between(at, from, to) {
        return from <= to ? from <= at && at <= to : at >= from || at <= to;
    }
    global.weekdayRange = function () {
        var r = read(arguments), from = place(days, r.list[0]);
        var to = r.list.length > 1 ? place(days, r.list[1]) : from;
        return from >= 0 && to >= 0 && between(r.get("Day"), from, to);
    };
    global.timeRange = function () {
        var r = read(arguments), l = r.list, now, seconds = [3600, 60, 1], i, half = l.length / 2, from = 0, to = 0;
        now = r.get("Hours") * 3600 + r.get("Minutes") * 60 + r.get("Seconds");
        if (l.length === 1)
            return r.get("Hours") === +l[0];
        if (half !== 1 && half !== 2 && half !== 3)
            return false;
        for (i = 0; i < half; i++) {
            from += +l[i] * seconds[i];
            to += +l[half + i] * seconds[i];
        }
        to -= half === 3 ? 0 : 1;
        return between(now, from, to < 0 ? 86399 : to);
    };
    /* A day is a number up to 31, a year one above, a month a word; two dates of the same parts. */
    global.dateRange = function () {
        var r = read(arguments), l = r.list, half = l.length === 1 ? 1 : l.length / 2, i;
        var from = 0, to = 0, at = 0, parts = [["FullYear", 0], ["Month", 0], ["Date", 0]], k, value;
        function which(word) {
            if (place(months, word) >= 0)
                return 1;
            return +word > 31 ? 0 : +word >= 1 ? 2 : -1;
        }
        if (half !== Math.floor(half) || half > 3 || half < 1)
            return false;
        for (k = 0; k < 3; k++)
            for (i = 0; i < half; i++) {
                if (which(l[i]) < 0)
                    return false;
                if (which(l[i]) !== k)
                    continue;
                value = k === 1 ? place(months, l[i]) : +l[i];
                from = from * 100 + value;
                value = l.length === 1 ? l[i] : l[half + i];
                to = to * 100 + (k === 1 ? place(months, value) : +value);
                at = at * 100 + r.get(parts[k][0]);
            }
        return between(at, from, to);
    };
}(this));
