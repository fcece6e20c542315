//! Which extensions are used (RFC 6455 §9.1): offers, answers, and what the client makes of those.

use std::sync::Arc;

use super::{Agreed, Coding, Extension};
use crate::handshake::{ExtensionParams, HandshakeError};

/// What a client offers, in its order of preference.
///
/// ```
/// use std::sync::Arc;
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::extension::offers;
/// let offers = offers(&[Arc::new(PerMessageDeflate::client())]);
/// assert_eq!(offers[0].to_string(), "permessage-deflate; client_max_window_bits");
/// ```
pub fn offers(extensions: &[Arc<dyn Extension>]) -> Vec<ExtensionParams> {
    let offer = |extension: &Arc<dyn Extension>| ExtensionParams {
        name: extension.name().to_owned(),
        params: extension.offer(),
    };
    extensions.iter().map(offer).collect()
}

/// What a client makes of a server's answers: the extensions in use, in their order.
///
/// # Errors
///
/// An extension that was not offered, permessage-deflate twice, and what the extensions do not accept.
///
/// ```
/// use std::sync::Arc;
/// use openline_proto::extension::accept;
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::handshake::parse_extensions;
/// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
/// let answers = parse_extensions("permessage-deflate; server_max_window_bits=10")?;
/// assert_eq!(accept(&[Arc::new(PerMessageDeflate::client())], &answers)?.len(), 1);
/// assert!(accept(&[], &answers).is_err());
/// # Ok(()) }
/// ```
pub fn accept(
    offered: &[Arc<dyn Extension>],
    answers: &[ExtensionParams],
) -> Result<Vec<Agreed>, HandshakeError> {
    let mut agreed: Vec<Agreed> = Vec::new();
    for params in answers {
        let Some(extension) = offered.iter().find(|extension| extension.name() == params.name)
        else {
            let text = format!("Unsupported extension: {params}");
            return Err(HandshakeError::NegotiationError(text));
        };
        let coding = extension.accept(&params.params)?;
        if is_second_deflate(&agreed, &coding) {
            let text = format!("received duplicate {}", params.name);
            return Err(HandshakeError::NegotiationError(text));
        }
        agreed.push(Agreed { params: params.clone(), coding });
    }
    Ok(agreed)
}

/// What a server makes of a client's offers: the extensions in use, with the parameters to answer.
/// Offers that it does not know or cannot meet are declined.
///
/// ```
/// use std::sync::Arc;
/// use openline_proto::extension::answer;
/// use openline_proto::extension::deflate::PerMessageDeflate;
/// use openline_proto::handshake::parse_extensions;
/// # fn main() -> Result<(), openline_proto::handshake::HandshakeError> {
/// // Of two offers of one extension, the first that can be met counts (RFC 7692 §5).
/// let offers = parse_extensions("permessage-deflate; x=1, permessage-deflate")?;
/// let agreed = answer(&[Arc::new(PerMessageDeflate::server())], &offers);
/// assert_eq!(agreed[0].params.to_string(), "permessage-deflate; server_max_window_bits=12");
/// # Ok(()) }
/// ```
pub fn answer(supported: &[Arc<dyn Extension>], offers: &[ExtensionParams]) -> Vec<Agreed> {
    let mut agreed: Vec<Agreed> = Vec::new();
    for ExtensionParams { name, params } in offers {
        let answer = supported
            .iter()
            .filter(|extension| extension.name() == name)
            .find_map(|extension| extension.answer(params).ok());
        if let Some((params, coding)) = answer
            && !is_second_deflate(&agreed, &coding)
        {
            let params = ExtensionParams { name: name.clone(), params };
            agreed.push(Agreed { params, coding });
        }
    }
    agreed
}

/// Two compressors would both claim RSV1.
fn is_second_deflate(agreed: &[Agreed], coding: &Coding) -> bool {
    let is_deflate = |coding: &Coding| matches!(coding, Coding::Deflate(_));
    is_deflate(coding) && agreed.iter().any(|earlier| is_deflate(&earlier.coding))
}
