# Links are NetworkManager's. What else is left out, the box never asks for.
PACKAGECONFIG:remove:robocast-os = "backlight hibernate machined networkd nss-mymachines quotacheck vconsole"
# A clock and a name server are asked only when the settings or the network name them.
PACKAGECONFIG:append:robocast-os = " no-dns-fallback"
