//! The robot's side as a whole: facts, plan, steps, proof; DHCP beside it.

use std::io;

use robocast_daemon::journal;

use super::apply::{self, Fault};
use super::dhcp::speaker::Speaker;
use super::facts::Facts;
use super::gather::{self, GatherError};
use super::namespace::{Namespace, NamespaceError};
use super::plan::{plan, plan_restore};
use super::reach::{self, Reach};
use super::wanted::Wanted;
use super::watch::Watch;

pub use super::view::{Check, RobotView};

/// The namespace of the robot's side, where no other name is given.
pub const NAMESPACE: &str = "robot";

/// So often facts are asked for and planned from, before it is said that they do not settle.
const ROUNDS: usize = 4;

/// The robot's side.
#[derive(Debug)]
pub struct Side {
    name: String,
    outside: Namespace,
    watch: Option<Watch>,
    /// Whether the watch listens inside too.
    complete: bool,
    speaker: Speaker,
    wanted: Wanted,
    facts: Facts,
    trouble: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What was done, in words and in order.
    pub steps: Vec<String>,
    /// Whether the facts that were found at the end are the wanted ones.
    pub proven: bool,
    /// How it stands, for people.
    pub text: String,
}

impl Side {
    /// The robot's side of the network that this program runs in.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn new() -> Result<Self, NamespaceError> {
        Ok(Self::between(Namespace::own()?, NAMESPACE))
    }

    /// The same between any two networks: tests have their own.
    #[must_use]
    pub fn between(outside: Namespace, inside: &str) -> Self {
        Self {
            name: inside.to_owned(),
            outside,
            watch: None,
            complete: false,
            speaker: Speaker::default(),
            wanted: Wanted::default(),
            facts: Facts::default(),
            trouble: None,
        }
    }

    /// What [`check`](Self::check) and [`describe`](Self::describe) hold the side to, without changing anything.
    pub fn expect(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }

    /// Makes the robot's side what is wanted. What fails is undone and told; call again after [`changed`](Self::changed),
    /// or a little later.
    pub async fn converge(&mut self, wanted: &Wanted) -> Outcome {
        self.wanted = wanted.clone();
        let mut steps = Vec::new();
        let proven = match self.settle(&mut steps).await {
            Ok(proven) => {
                self.trouble = (!proven)
                    .then(|| "the robot's side does not settle: does another program change it?".to_owned());
                proven
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                false
            }
        };
        Outcome { steps, proven, text: self.text() }
    }

    async fn settle(&mut self, done: &mut Vec<String>) -> Result<bool, String> {
        let told = |error: &(dyn std::error::Error + 'static)| journal::chain(error);
        for round in 0..=ROUNDS {
            // Listening first: nothing may come in between.
            self.listen().await.map_err(|error| format!("the kernel cannot be watched: {error}"))?;
            self.facts = gather::facts(&self.outside, &self.name).await.map_err(|error| told(&error))?;
            self.speaker.follow(&self.name, &self.wanted, &self.facts).await;
            let steps = plan(&self.now_wanted(), &self.facts);
            if steps.is_empty() {
                return Ok(true);
            }
            if round == ROUNDS {
                break;
            }
            match apply::apply(&self.outside, &self.name, &steps, &self.facts).await {
                Ok(()) => done.extend(steps.iter().map(ToString::to_string)),
                // It was pulled in the middle: the next facts tell.
                Err(error) if matches!(error.why, Fault::Gone(_)) => tracing::info!("{}", told(&error)),
                Err(error) => {
                    // What is told of the side is what it is now.
                    if let Ok(facts) = gather::facts(&self.outside, &self.name).await {
                        self.facts = facts;
                    }
                    return Err(told(&error));
                }
            }
        }
        Ok(false)
    }

    /// What would be done, in words; nothing is changed.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub async fn plan_only(&self, wanted: &Wanted) -> Result<Vec<String>, GatherError> {
        let facts = gather::facts(&self.outside, &self.name).await?;
        let lease = if *wanted == self.wanted { self.speaker.lease() } else { None };
        Ok(plan(&wanted.leased(lease), &facts).iter().map(ToString::to_string).collect())
    }

    /// Waits until something changed that may want [`converge`](Self::converge): links and addresses, the firewall, a lease.
    pub async fn changed(&mut self) {
        let watched = async {
            match &mut self.watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = watched => {}
            () = self.speaker.changed() => {}
        }
    }

    /// Gives every interface back to the box's own network. The namespace and its firewall stay, with what runs in it.
    pub async fn restore(&mut self) -> Outcome {
        self.speaker = Speaker::default();
        self.wanted = Wanted::default();
        let mut done = Vec::new();
        let result = async {
            let facts =
                gather::facts(&self.outside, &self.name).await.map_err(|error| journal::chain(&error))?;
            let steps = plan_restore(&facts);
            apply::apply(&self.outside, &self.name, &steps, &facts)
                .await
                .map_err(|error| journal::chain(&error))?;
            done.extend(steps.iter().map(ToString::to_string));
            let facts =
                gather::facts(&self.outside, &self.name).await.map_err(|error| journal::chain(&error))?;
            Ok::<_, String>(facts)
        };
        match result.await {
            Ok(facts) => {
                let proven = plan_restore(&facts).is_empty();
                self.facts = facts;
                Outcome { steps: done, proven, text: "the robot's side is given back".to_owned() }
            }
            Err(text) => Outcome { steps: done, proven: false, text },
        }
    }

    /// How the robot's own interface stands, by the last facts.
    #[must_use]
    pub fn describe(&self) -> RobotView {
        let main = self.wanted.dhcp.as_ref().map(|(name, _)| name);
        let addressed = self.wanted.interfaces.iter().find(|(_, own)| own.is_some()).map(|(name, _)| name);
        let name = main.or(addressed).or_else(|| self.wanted.interfaces.keys().next());
        name.map_or_else(RobotView::default, |name| self.view(name))
    }

    /// How every interface of the robot's side stands.
    #[must_use]
    pub fn views(&self) -> Vec<RobotView> {
        self.wanted.interfaces.keys().map(|name| self.view(name)).collect()
    }

    fn view(&self, name: &str) -> RobotView {
        let word =
            self.speaker.word().filter(|(interface, _)| self.is(name, interface)).map(|(_, word)| word);
        RobotView::of(name, &self.now_wanted(), &self.facts, word.as_ref())
    }

    /// Whether a wanted name is that of an interface.
    fn is(&self, wanted: &str, interface: &str) -> bool {
        self.facts.inside.find(wanted).is_some_and(|link| link.name == interface)
    }

    fn text(&self) -> String {
        let views = self.views();
        let told = self.trouble.iter().cloned().chain(views.into_iter().map(|view| view.text));
        match told.collect::<Vec<_>>() {
            nothing if nothing.is_empty() => "no robot on a wire".to_owned(),
            told => told.join("; "),
        }
    }

    /// Proves that the robot's side is as wanted and that the robot answers.
    pub async fn check(&self) -> Check {
        let facts = match gather::facts(&self.outside, &self.name).await {
            Ok(facts) => facts,
            Err(error) => return Check::failed(journal::chain(&error)),
        };
        let wanted = self.now_wanted();
        let mut check = Check::of(&wanted, &facts);
        if let Some(robot) = wanted.robot {
            let reach = match Namespace::open(&self.name) {
                Ok(Some(namespace)) => reach::ask(&namespace, robot).await,
                Ok(None) => Err(io::Error::other("the robot's side is not there")),
                Err(error) => Err(io::Error::other(error)),
            };
            let (good, words) = match reach {
                Ok(Reach::Answers) => (true, format!("the robot answers at {robot}")),
                Ok(Reach::OnTheWire) => {
                    (true, format!("the robot is on the wire at {robot}, and answers nothing more"))
                }
                Ok(Reach::Silent) => {
                    (false, format!("nobody answers at {robot}; is the robot on, is [robot] address right?"))
                }
                Err(error) => (false, format!("{robot} cannot be asked: {error}")),
            };
            check.add(good, words);
        }
        check
    }

    fn now_wanted(&self) -> Wanted {
        self.wanted.leased(self.speaker.lease())
    }

    async fn listen(&mut self) -> io::Result<()> {
        let inside = Namespace::open(&self.name).map_err(io::Error::other)?;
        if self.watch.is_none() || self.complete != inside.is_some() {
            self.watch = Some(Watch::open(&self.outside, inside.as_ref()).await?);
            self.complete = inside.is_some();
        }
        Ok(())
    }
}
