"""The media server of the virtual worlds: nginx-rtmp, which records, and shows what it received on a page."""

import pathlib

PAGE = pathlib.Path(__file__).resolve().parents[2] / "ci/demo.d/page"


def configuration(folder, address, idle):
    """Writes nginx's configuration to `folder` and returns its path.

    It takes rtmp://ADDRESS/live/NAME, keeps it in recordings/NAME-*.flv, and serves the page, status.json and hls/ of `folder`
    at the socket http.sock there. A publisher that is silent for `idle` is dropped: a board whose plug was pulled is gone soon,
    and may publish again. (nginx-rtmp's own ping does not do that.)"""
    recordings = folder / "recordings"
    recordings.mkdir(exist_ok=True)
    recordings.chmod(0o777)
    file = folder / "nginx.conf"
    file.write_text(f"""
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log info; worker_processes 1; user root;
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
events {{ worker_connections 64; }}
rtmp {{ server {{ access_log off; listen {address}:1935 so_keepalive=5s:1s:3;
  application live {{ live on; drop_idle_publisher {idle}; wait_key on; record all; record_path {recordings}; record_unique on;
    hls on; hls_path {folder}/hls; hls_fragment 1s; hls_playlist_length 60s; }} }} }}
http {{ access_log off; types {{ text/html html; text/css css; text/javascript js; application/json json;
    application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen unix:{folder}/http.sock; root {PAGE}; charset utf-8; add_header Cache-Control no-store;
    location = /status.json {{ root {folder}; }}
    location /hls/ {{ root {folder}; }} }} }}
""")
    return file
