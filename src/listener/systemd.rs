//! Sockets that systemd has bound and passes on (`sd_listen_fds(3)`): they stay open across a restart, so that
//! visitors wait instead of being turned away.

use std::{env, io};

use listenfd::ListenFd;
use socket2::Socket;
use thiserror::Error;

use super::Bound;

/// Why there is nothing to listen on.
#[derive(Debug, Error)]
pub enum Error {
    /// Started by hand, or by a service without its `.socket` unit.
    #[error(
        "systemd has passed no sockets to this process: start it through a .socket unit \
         (LISTEN_FDS and LISTEN_PID are its part of that)"
    )]
    Nothing,
    /// No socket has the name.
    #[error(
        "systemd has passed no socket named `{wanted}`, only: {passed}; the name is the FileDescriptorName= of the \
         .socket unit"
    )]
    Unknown {
        /// What the configuration says.
        wanted: String,
        /// What is there.
        passed: String,
    },
    /// A descriptor that visitors cannot come in by.
    #[error("descriptor `{name}` from systemd is no listening stream socket of TCP or Unix: {error}")]
    Unusable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        #[source]
        error: io::Error,
    },
}

/// The sockets that this process was started with. There is one such value in a process.
pub struct Inherited {
    descriptors: ListenFd,
    names: Vec<String>,
    taken: Vec<bool>,
}

impl Inherited {
    /// Reads what systemd says in the environment.
    pub fn from_environment() -> Self {
        let descriptors = ListenFd::from_env();
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names: Vec<_> = names.split(':').map(str::to_owned).collect();
        // systemd's own word for a descriptor that nobody named.
        names.resize(descriptors.len(), "unknown".to_owned());
        let taken = vec![false; names.len()];
        Self { descriptors, names, taken }
    }

    /// The names of those that nobody has taken: whoever connects there would wait for ever.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.names.iter().zip(&self.taken).filter(|(_, taken)| !**taken).map(|(name, _)| name.as_str())
    }

    /// Takes all sockets that are left, or those of a name.
    pub fn take(&mut self, wanted: Option<&str>) -> Result<Vec<Bound>, Error> {
        if self.names.is_empty() {
            return Err(Error::Nothing);
        }
        let mut taken = Vec::new();
        for (place, name) in self.names.iter().enumerate() {
            if wanted.is_some_and(|wanted| wanted != name) {
                continue;
            }
            let unusable = |error| Error::Unusable { name: name.clone(), error };
            if let Some(socket) = socket(&mut self.descriptors, place).map_err(unusable)? {
                taken.push(Bound::inherited(socket).map_err(unusable)?);
                self.taken[place] = true;
            }
        }
        match wanted {
            Some(wanted) if taken.is_empty() => {
                Err(Error::Unknown { wanted: wanted.to_owned(), passed: self.names.join(", ") })
            }
            _ => Ok(taken),
        }
    }
}

/// The socket at a place, once.
fn socket(descriptors: &mut ListenFd, place: usize) -> io::Result<Option<Socket>> {
    match descriptors.take_unix_listener(place) {
        Ok(listener) => Ok(listener.map(Socket::from)),
        Err(_) => Ok(descriptors.take_tcp_listener(place)?.map(Socket::from)),
    }
}
