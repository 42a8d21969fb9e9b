//! muxtray watches OpenSSH's control sockets without touching them, shows every master in a desktop tray, and says
//! what to do when a socket is stale, misowned or otherwise broken. This page is the map of the house.
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
//! # The rooms, in reading order
//!
//! - [`core`]: types, judgement, decisions, menu, report. Values in, values out; imports nothing of the others.
//! - [`config`]: muxtray's own settings and the file that documents them.
//! - [`discover`]: which paths can be control sockets. The only room that runs `ssh -G`, never on the timer.
//! - [`observe`]: what is there, from the kernel's tables and stats. Connects only where the kernel shows no listener.
//! - [`mux`]: the protocol of a control socket: bytes, and one request with one deadline.
//! - [`act`]: check, exit, stop, clean, mend, end a process, test a host. The only room that changes anything outside
//!   muxtray's own files.
//! - [`survey`]: discover, observe and diagnose as one walk.
//! - [`watch`]: what wakes a loop when the next look could see something new: inotify, pidfds, rtnetlink, mounts, the
//!   clock.
//! - [`engine`]: the thread that walks it again and again, and owns all state.
//! - [`desktop`]: the session bus: the one instance, notifications. No GTK.
//! - [`run`]: the engine with as much of a desktop around it as there is.
//! - [`cli`]: the command line.
//! - [`words`]: the language of every text that a person sees.
//!
//! The tray itself is in the second program, `muxtray-applet` (`src/applet`): `muxtray run` becomes it. So the
//! command line loads no GTK, and a build with the feature `lean-tray` instead of `tray`, or with neither, needs none.
//!
//! # What always holds
//!
//! - Watching never connects to a live master: a connection would restart its ControlPersist time.
//! - Only [`act`] and `observe::connect` connect at all; only [`act`] removes, and only what it has proven.
//! - The engine is the only writer of its state. The user-interface thread holds the last view and sends intents.
//! - No process is signalled but by a pidfd, and only once it is proven to be the ssh of ours that holds that listener.
//! - A click or a command names what it was meant for ([`core::socket::Target`]), so it never reaches a successor.
//! - Every wait has a deadline. Names from a disk are escaped before a person sees them ([`core::text`]).

pub mod act;
pub mod cli;
pub mod config;
pub mod core;
pub mod desktop;
pub mod discover;
pub mod engine;
pub mod mux;
pub mod observe;
pub mod run;
pub mod survey;
pub mod watch;
pub mod words;
