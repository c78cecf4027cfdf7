# NetworkManager manages links. The box uses nothing of the other disabled parts.
PACKAGECONFIG:remove:robocast-os = "backlight hibernate machined networkd nss-mymachines quotacheck vconsole"
# NTP and name servers are used only if the settings or the network name them.
PACKAGECONFIG:append:robocast-os = " no-dns-fallback"
