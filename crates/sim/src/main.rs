use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use robocast_sim::args::{Arguments, FootageArguments, Go2Arguments, RtspArguments, Word};
use robocast_sim::clip::Clip;
use robocast_sim::command::Robot;
use robocast_sim::control::{self, ControlSocket};
use robocast_sim::error::{Error, chain};
use robocast_sim::feed::Footage;
use robocast_sim::go2::{Address, Go2};
use robocast_sim::lifetime::Lifetime;
use robocast_sim::probe;
use robocast_sim::rtsp::{Cameras, Login, Service};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.word) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("robocast-sim: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(word: Word) -> Result<bool, Error> {
    let lifetime = Lifetime::begin()?;
    gst::init().map_err(Error::Runtime)?;
    match word {
        Word::Go2(arguments) => go2(arguments, &lifetime).map(|()| true),
        Word::Rtsp(arguments) => rtsp(arguments, &lifetime).map(|()| true),
        Word::Probe(arguments) => probe::run(&arguments, &lifetime),
    }
}

fn go2(arguments: Go2Arguments, lifetime: &Lifetime) -> Result<(), Error> {
    let footage = footage(&arguments.footage)?;
    let address = Address {
        group: arguments.group,
        port: arguments.port,
        interface: arguments.interface,
        payload_type: arguments.footage.payload_type,
    };
    let seed = seed(&arguments.footage);
    let log = arguments.footage.log.as_deref();
    let robot: Arc<dyn Robot> = Arc::new(Go2::start(&address, &footage, log, seed, lifetime.failure())?);
    let _control = obey(&robot, &arguments.footage)?;
    lifetime.end()
}

fn rtsp(arguments: RtspArguments, lifetime: &Lifetime) -> Result<(), Error> {
    let footage = footage(&arguments.footage)?;
    let (host, port) = arguments.listen;
    let service = Service {
        host,
        port,
        paths: arguments.path,
        payload_type: arguments.footage.payload_type,
        tls: arguments.tls.and_then(|files| <[_; 2]>::try_from(files).ok()).map(|[cert, key]| (cert, key)),
        login: arguments.user.zip(arguments.password).map(|(user, password)| Login {
            user,
            password,
            method: arguments.auth,
        }),
    };
    let seed = seed(&arguments.footage);
    let log = arguments.footage.log.as_deref();
    let cameras = Cameras::start(service, &footage, log, seed, lifetime.failure())?;
    let ready = cameras.ready().to_string();
    let robot: Arc<dyn Robot> = Arc::new(cameras);
    let _control = obey(&robot, &arguments.footage)?;
    control::print_line(&ready);
    lifetime.end()
}

fn footage(arguments: &FootageArguments) -> Result<Footage, Error> {
    Ok(match &arguments.file {
        Some(file) => Footage::Clip(Arc::new(Clip::read(file)?)),
        None => Footage::Pattern(arguments.coding()),
    })
}

/// Random unless it is given, like the numbers of a real robot.
fn seed(arguments: &FootageArguments) -> u64 {
    arguments.seed.unwrap_or_else(|| robocast_sim::stamp::now() << 16 ^ u64::from(std::process::id()))
}

/// The caller keeps the robot, because stdin may end long before it does.
fn obey(robot: &Arc<dyn Robot>, arguments: &FootageArguments) -> Result<Option<ControlSocket>, Error> {
    let socket =
        arguments.control.as_deref().map(|path| ControlSocket::open(path, robot.clone())).transpose()?;
    control::obey_stdin(robot.clone())?;
    Ok(socket)
}
