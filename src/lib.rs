//! muxtray watches OpenSSH's control sockets without touching them, shows every master in a desktop tray, and says
//! what to do when a socket is stale, misowned or otherwise broken. This page is the map of the house.
//!
//! # The one idea
//!
//! Whoever connects to a master keeps it alive: its ControlPersist time begins anew. So muxtray never asks; it looks.
//! The kernel's tables say who listens, who waits and what became of the network behind; the files say the rest. From
//! that everything else follows: facts are gathered by rooms without an opinion, judged by a core that touches
//! nothing, and acted on only by one room, which proves everything once more.
//!
//! # The way of the data
//!
//! ```text
//!  ssh configuration, settings      kernel tables, lstat, /proc          pure                  pure
//!         discover           ──►          observe            ──►       diagnose     ──►      decide ──► effects
//!    where sockets can be          what is there, untouched       states + findings       what to say and do
//!         = Places                      = Look                       = Snapshot               │
//!                                                                                             ├─► act
//!                                                                                             ├─► notices
//!    one engine thread turns the wheel; events wake it (watch), and what people ask for       └─► TrayView
//!
//!  Intent (click, button) ──────────────────────────────────────────────────────────────────► engine
//! ```
//!
//! The command line walks the same road once ([`survey`]). The table, the JSON, the menu and the notifications are
//! four renderings of one [`core::socket::Snapshot`], so they cannot disagree.
//!
//! To see it at work, follow a stale socket: [`observe`] finds a file that nobody listens on and that refuses;
//! [`core::diagnose`] calls it stale and [`core::remedy`] finds the words; [`core::decide`] makes a notice of what is
//! new, [`core::view`] a row whose Clean holds an [`core::intent::Intent`]; a click brings that back to the [`engine`],
//! and a worker calls [`act::clean`].
//!
//! # The rooms, in reading order
//!
//! What is thought:
//!
//! - [`core`]: types, judgement, decisions, menu, report, and every word a person reads of a socket. Values in, values
//!   out; imports nothing of the others.
//!
//! What is seen:
//!
//! - [`config`]: muxtray's own settings, the file that documents them, and changing one of them in it.
//! - [`autostart`]: start at login: the file that desktops read, and whether systemd does it instead.
//! - [`discover`]: which paths can be control sockets. The only room that runs `ssh -G`, never on the timer.
//! - [`observe`]: what is there, from the kernel's tables and stats. Connects only where the kernel shows no listener.
//! - [`survey`]: discover, observe and diagnose as one walk, with what one look alone cannot tell.
//! - [`watch`]: what wakes a loop when the next look could see something new: inotify, pidfds, rtnetlink, mounts, the
//!   clock.
//!
//! What is done:
//!
//! - [`mux`]: the protocol of a control socket: bytes, and one request with one deadline.
//! - [`act`]: check, exit, stop, clean, mend, end a process, open a master, test a host. The only room that changes
//!   anything outside muxtray's own files.
//!
//! What runs:
//!
//! - [`engine`]: the thread that walks the road again and again, and owns all state. What takes time it gives to
//!   workers.
//! - [`desktop`]: the session bus: the one instance, notifications, the steps from one menu to the next. No GTK.
//! - [`run`]: the engine with as much of a desktop around it as there is.
//! - [`cli`]: the command line, its man page and its completions.
//!
//! And beside them: [`log`], where it goes and how it looks there; [`crash`], what becomes of a panic; [`own_file`], what
//! muxtray keeps for itself; [`outside`], how programs that are the
//! person's get out of the unit's confines; [`privilege`], which rights it refuses and what it does not do as root; [`words`], the language of every text that a person sees.
//!
//! There are two programs. `muxtray` (`src/main.rs`) is the command line. `muxtray run` becomes the second,
//! `muxtray-applet` (`src/applet`), which draws the tray: so the command line loads no GTK, and a build with the feature
//! `lean-tray` instead of `tray`, or with neither, needs none.
//!
//! # What always holds
//!
//! - Watching never connects to a live master.
//! - Only [`act`] and `observe::connect` connect at all; only [`act`] removes, and only what it has proven.
//! - The engine is the only writer of its state. The user-interface thread holds the last view and sends intents.
//! - No process is signalled but by a pidfd, and only once it is proven to be the ssh of ours that holds that listener,
//!   or one that muxtray started itself.
//! - A click or a command names what it was meant for ([`core::socket::Target`]), so it never reaches a successor.
//! - A file of the user's that muxtray writes is replaced whole, or stays as it was; one it could not read stays.
//! - Every wait has a deadline. Names from a disk are escaped before a person sees them ([`core::text`]).
//! - A panic on any thread ends the applet, with a word ([`crash`]): half a program would look alive.
//!
//! `tests/architecture.rs` keeps the walls between the rooms, `tests/documents.rs` what is written about them.

pub mod act;
pub mod autostart;
pub mod cli;
pub mod config;
pub mod core;
pub mod crash;
pub mod desktop;
pub mod discover;
pub mod engine;
pub mod log;
pub mod mux;
pub mod observe;
pub mod outside;
pub mod own_file;
pub mod privilege;
mod replace;
pub mod run;
mod shortage;
pub mod survey;
pub mod watch;
pub mod words;

/// The version, with the commit that was built where that is known: "0.1.0 (1a2b3c4d5e)".
pub const VERSION: &str = env!("MUXTRAY_VERSION");
