/* Different in host, path and letters as far as that goes; half of them have no digit. */
#include "filters/url_samples.h"

const struct slice url_samples[] = {
    SLICE("https://www.google.com/"),
    SLICE("https://github.com/"),
    SLICE("https://en.wikipedia.org/wiki/Main_Page"),
    SLICE("https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    SLICE("http://deb.debian.org/debian/dists/bookworm/InRelease"),
    SLICE("https://www.bbc.co.uk/news/world-europe-60506682.html"),
    SLICE("https://login.microsoftonline.com/"),
    SLICE("https://www.amazon.de/gp/help/customer/display.html"),
    SLICE("https://pypi.org/simple/"),
    SLICE("http://www.example.net/index.html"),
    SLICE("https://cdn.jsdelivr.net/npm/bootstrap@5.3.0/dist/css/bootstrap.min.css"),
    SLICE("https://fonts.gstatic.com/"),
    SLICE("https://www.lemonde.fr/international/article.php?id=20231104"),
    SLICE("http://ocsp.digicert.com/"),
    SLICE("https://api.github.com/repos/torvalds/linux"),
    SLICE("https://images.unsplash.com/photo.jpg"),
};
const unsigned url_samples_n = countof(url_samples);
