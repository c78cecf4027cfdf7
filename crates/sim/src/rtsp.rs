//! RTSP cameras: one server with any number of paths, each with its own feed while somebody watches.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;
use gst_rtsp_server::gio;
use gst_rtsp_server::gst_rtsp::RTSPAuthMethod;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPAuth, RTSPFilterResult, RTSPMediaFactory, RTSPServer, RTSPToken};
use serde_json::{Value, json};

use crate::args::AuthMethod;
use crate::command::{Command, Fault, Robot};
use crate::error::Error;
use crate::feed::Footage;
use crate::mount::Mount;

/// Who may connect, and how.
#[derive(Clone, Debug)]
pub struct Service {
    pub host: String,
    pub port: u16,
    pub paths: Vec<String>,
    pub payload_type: u8,
    pub tls: Option<(PathBuf, PathBuf)>,
    pub login: Option<Login>,
}

#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
    pub method: AuthMethod,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("password", &"***").finish()
    }
}

/// The running server.
pub struct Cameras {
    service: Service,
    server: RTSPServer,
    main_loop: glib::MainLoop,
    listener: Arc<Mutex<Option<glib::SourceId>>>,
    mounts: Vec<Arc<Mount>>,
    resizable: bool,
    seed: u64,
}

/// How long a reboot waits for the old sessions to close.
const CLOSING: Duration = Duration::from_secs(3);
const LOOP_ANSWERS: Duration = Duration::from_secs(5);
const ROLE: &str = "viewer";

impl Cameras {
    pub fn start(
        service: Service,
        footage: &Footage,
        log: Option<&Path>,
        seed: u64,
        failed: impl FnOnce(Error) + Send + Clone + 'static,
    ) -> Result<Self, Error> {
        let server = RTSPServer::new();
        server.set_address(&service.host);
        server.set_service(&service.port.to_string());
        let guarded = service.tls.is_some() || service.login.is_some();
        if guarded {
            server.set_auth(Some(&auth(&service)?));
        }
        let points = server.mount_points().ok_or_else(|| Error::Start("no mount points".into()))?;
        let mut mounts = Vec::new();
        for (index, path) in service.paths.iter().enumerate() {
            let log =
                log.map(|log| if service.paths.len() == 1 { log.to_owned() } else { beside(log, path) });
            let mount = Mount::new(footage.clone(), log.as_deref(), seed.wrapping_add(index as u64))?;
            points.add_factory(path, factory(&service, guarded, &mount, failed.clone()));
            mounts.push(mount);
        }
        let listener = listen(&server, &service)?;
        let port = server.bound_port().to_string();
        server.set_service(&port);
        let main_loop = glib::MainLoop::new(None, false);
        let running = main_loop.clone();
        thread::Builder::new().name("rtsp".into()).spawn(move || running.run()).map_err(Error::Thread)?;
        Ok(Self {
            service,
            server,
            main_loop,
            listener: Arc::new(Mutex::new(Some(listener))),
            mounts,
            resizable: footage.is_resizable(),
            seed,
        })
    }

    /// The line that is printed once the server listens.
    pub fn ready(&self) -> Value {
        let port = self.server.bound_port();
        let scheme = if self.service.tls.is_some() { "rtsps" } else { "rtsp" };
        let host = &self.service.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let urls: Vec<_> =
            self.service.paths.iter().map(|path| format!("{scheme}://{host}:{port}{path}")).collect();
        json!({
            "ready": true,
            "robot": "rtsp",
            "address": self.service.host,
            "port": port,
            "urls": urls,
            "seed": self.seed,
        })
    }

    /// Runs on the server's own thread and waits for the result.
    fn on_loop<T: Send + 'static>(
        &self,
        action: impl FnOnce(&RTSPServer, &mut Option<glib::SourceId>) -> T + Send + 'static,
    ) -> Result<T, String> {
        let (sender, result) = mpsc::channel();
        let (server, listener) = (self.server.clone(), self.listener.clone());
        glib::MainContext::default().invoke(move || {
            let _ = sender.send(action(&server, &mut lock(&listener)));
        });
        result.recv_timeout(LOOP_ANSWERS).map_err(|_| "the server does not answer".to_owned())
    }

    fn vanish(&self) -> Result<(), String> {
        self.on_loop(|server, listener| {
            if let Some(listener) = listener.take() {
                listener.remove();
            }
            server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        })
    }

    fn listen_again(&self) -> Result<(), String> {
        let service = self.service.clone();
        self.on_loop(move |server, listener| {
            if listener.is_none() {
                *listener = Some(listen(server, &service).map_err(|error| crate::error::chain(&error))?);
            }
            Ok(())
        })?
    }

    fn restart(&self) -> Result<(), String> {
        self.vanish()?;
        let deadline = Instant::now() + CLOSING;
        for mount in &self.mounts {
            mount.freeze(false);
            mount.wait_until_closed(deadline);
        }
        self.listen_again()
    }

    fn put(&self, fault: Fault) -> Result<(), String> {
        match fault {
            Fault::Drop(_) | Fault::DropNext(_) | Fault::Corrupt(_) => {
                self.mounts.iter().for_each(|mount| mount.put(fault));
                Ok(())
            }
            _ => {
                Err("not supported by rtsp, which supports drop, drop-next and corrupt; go2 supports all"
                    .into())
            }
        }
    }

    fn stat(&self) -> Result<Value, String> {
        let (clients, vanished) = self.on_loop(|server, listener| {
            let mut clients = 0;
            server.client_filter(Some(&mut |_, _| {
                clients += 1;
                RTSPFilterResult::Keep
            }));
            (clients, listener.is_none())
        })?;
        let mut sum = crate::mount::Counts::default();
        self.mounts.iter().for_each(|mount| sum.add(&mount.counts()));
        Ok(json!({
            "access_units": sum.access_units,
            "packets": sum.packets,
            "bytes": sum.bytes,
            "slices": sum.slices,
            "dropped": sum.dropped,
            "clients": clients,
            "vanished": vanished,
        }))
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.vanish();
        self.main_loop.quit();
    }
}

impl Robot for Cameras {
    fn obey(&self, command: Command) -> Result<Option<Value>, String> {
        match command {
            Command::Vanish => self.vanish()?,
            Command::Return => self.listen_again()?,
            Command::Freeze => self.mounts.iter().for_each(|mount| mount.freeze(true)),
            Command::Thaw => self.mounts.iter().for_each(|mount| mount.freeze(false)),
            Command::Restart => self.restart()?,
            Command::Resolution(_) if !self.resizable => {
                return Err("a file's size is fixed; run with --pattern".into());
            }
            Command::Resolution(size) => self.mounts.iter().for_each(|mount| mount.resize(size)),
            Command::Fault(fault) => self.put(fault)?,
            Command::Stat => return self.stat().map(Some),
        }
        Ok(None)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(server: &RTSPServer, service: &Service) -> Result<glib::SourceId, Error> {
    let address = format!("{}:{}", service.host, server.service());
    server.attach(None).map_err(|error| Error::Listen(address, error))
}

/// The log of one of several paths.
fn beside(log: &Path, path: &str) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(path.replace('/', "."));
    name.into()
}

fn auth(service: &Service) -> Result<RTSPAuth, Error> {
    let auth = RTSPAuth::new();
    let mut token = RTSPToken::builder().field("media.factory.role", ROLE).build();
    match &service.login {
        None => auth.set_default_token(Some(&mut token)),
        Some(login) if login.method == AuthMethod::Basic => {
            auth.set_supported_methods(RTSPAuthMethod::Basic);
            auth.add_basic(&RTSPAuth::make_basic(&login.user, &login.password), &token);
        }
        Some(login) => {
            auth.set_supported_methods(RTSPAuthMethod::Digest);
            auth.add_digest(&login.user, &login.password, &token);
        }
    }
    if let Some((certificate, key)) = &service.tls {
        let certificate = gio::TlsCertificate::from_files(certificate, key)
            .map_err(|error| Error::Certificate(certificate.clone(), error))?;
        auth.set_tls_certificate(Some(&certificate));
    }
    Ok(auth)
}

fn factory(
    service: &Service,
    guarded: bool,
    mount: &Arc<Mount>,
    failed: impl FnOnce(Error) + Send + Clone + 'static,
) -> RTSPMediaFactory {
    let factory = RTSPMediaFactory::new();
    factory.set_launch(&format!(
        "( appsrc name=units is-live=true format=time max-bytes=0 \
         caps=video/x-h264,stream-format=byte-stream,alignment=au \
         ! rtph264pay name=pay0 pt={} config-interval=-1 )",
        service.payload_type
    ));
    factory.set_shared(true);
    factory.set_latency(0);
    if guarded {
        let role = gst::Structure::builder(ROLE)
            .field("media.factory.access", true)
            .field("media.factory.construct", true)
            .build();
        factory.add_role_from_structure(&role);
    }
    let mount = mount.clone();
    let failed = Mutex::new(failed);
    factory.connect_media_configure(move |_, media| {
        // Live pictures are sent at once; synchronised sinks would hold each back until its time.
        media.set_rate_control(false);
        if let Err(error) = mount.open(media, lock(&failed).clone()) {
            lock(&failed).clone()(error);
        }
    });
    factory
}
