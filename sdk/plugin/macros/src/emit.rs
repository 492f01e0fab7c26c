//! From a [`PluginImpl`] to code: the block as written, `impl Plugin`, and the exports.
//!
//! Names are resolved at the call site but never bound there: functions are called by path (`Self::name(self, ..)`), so
//! that a method of the author's may have any name, also one of the trait's.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::model::{Content, Function, Method, PluginImpl};

/// All that `#[plugin]` expands to.
pub(crate) fn plugin(plugin: PluginImpl) -> TokenStream {
    let PluginImpl { block, type_name, init, event, schemas, methods } = plugin;
    let schemas = schemas.then(|| schemas_impl(&methods));
    let ty = &block.self_ty;
    let rows = methods.iter().map(descriptor_row);
    let arms = methods.iter().map(dispatch_arm);
    let start = start_body(init.as_ref(), ty);
    let event_function = event.as_ref().map(event_impl);
    let exports = if event.is_some() { quote!(#ty, event) } else { quote!(#ty) };
    quote! {
        #block

        impl ::casemate_plugin::Plugin for #ty {
            const DESCRIPTOR: ::casemate_plugin::Descriptor = ::casemate_plugin::Descriptor::new(
                ::core::env!("CARGO_PKG_NAME"),
                #type_name,
                ::core::env!("CARGO_PKG_VERSION"),
                &[#(#rows),*],
            );

            fn start(
                body: ::casemate_plugin::__private::Body<'_>,
            ) -> ::core::result::Result<Self, ::casemate_plugin::Error> {
                #start
            }

            fn dispatch(
                &mut self,
                method: &str,
                body: ::casemate_plugin::__private::Body<'_>,
            ) -> ::core::result::Result<::casemate_plugin::__private::Reply, ::casemate_plugin::Error> {
                match method {
                    #(#arms)*
                    _ => ::core::result::Result::Err(Self::DESCRIPTOR.unknown_method(method)),
                }
            }

            #event_function
            #schemas
        }

        ::casemate_plugin::__export!(#exports);
    }
}

fn descriptor_row(method: &Method) -> TokenStream {
    let cfgs = &method.function.cfgs;
    let name = method.function.ident.unraw().to_string();
    let constructor = constructor(method.content);
    quote!(#(#cfgs)* ::casemate_plugin::Method::#constructor(#name))
}

fn dispatch_arm(method: &Method) -> TokenStream {
    let cfgs = &method.function.cfgs;
    let name = method.function.ident.unraw().to_string();
    let call = call(&method.function, &quote!(self,), method.content);
    let mut into_reply = constructor(method.content);
    into_reply.set_span(at(method.function.answer));
    quote! {
        #(#cfgs)*
        #name => {
            use ::casemate_plugin::__private::PlainReturn as _;
            ::casemate_plugin::__private::Returned(#call).#into_reply()
        }
    }
}

/// `json` or `raw`, which is what the library calls both the row of a method and the way to its reply.
fn constructor(content: Content) -> syn::Ident {
    match content {
        Content::Json => format_ident!("json"),
        Content::Raw => format_ident!("raw"),
    }
}

fn start_body(init: Option<&Function>, ty: &syn::Type) -> TokenStream {
    let Some(init) = init else {
        // Spanned so that a missing Default is shown at the type and not at the attribute.
        return quote_spanned! {at(ty.span())=>
            let _ = body;
            ::core::result::Result::Ok(<#ty as ::core::default::Default>::default())
        };
    };
    let call = call(init, &TokenStream::new(), Content::Json);
    quote! {
        use ::casemate_plugin::__private::PlainReturn as _;
        ::casemate_plugin::__private::Returned(#call).value()
    }
}

fn event_impl(ident: &syn::Ident) -> TokenStream {
    quote! {
        fn event(
            &mut self,
            event: ::casemate_plugin::Event<'_>,
        ) -> ::core::result::Result<(), ::casemate_plugin::Error> {
            use ::casemate_plugin::__private::PlainReturn as _;
            ::casemate_plugin::__private::Returned(Self::#ident(self, event)).value()
        }
    }
}

/// One entry for each method whose bodies are JSON.
fn schemas_impl(methods: &[Method]) -> TokenStream {
    let entries = methods.iter().filter(|method| method.content == Content::Json).map(|method| {
        let Function { ident, cfgs, parameters, output, .. } = &method.function;
        let name = ident.unraw().to_string();
        let of = |ty: &syn::Type| quote_spanned!(at(ty.span())=> ::casemate_plugin::__private::schema::<#ty>());
        let input = match parameters.as_slice() {
            [] => quote!(::casemate_plugin::__private::nothing()),
            [one] => of(&one.ty),
            several => {
                let members = several.iter().map(|parameter| {
                    let name = parameter.name.as_deref().unwrap_or_default();
                    let schema = of(&parameter.ty);
                    quote!((#name, #schema))
                });
                quote!(::casemate_plugin::__private::members(::std::vec![#(#members),*]))
            }
        };
        let output = match output {
            Some(ty) => of(ty),
            None => quote!(::casemate_plugin::__private::nothing()),
        };
        quote!(#(#cfgs)* found.push(::casemate_plugin::__private::MethodSchemas::new(#name, #input, #output));)
    });
    quote! {
        fn schemas() -> ::std::vec::Vec<::casemate_plugin::__private::MethodSchemas> {
            let mut found = ::std::vec::Vec::new();
            #(#entries)*
            found
        }
    }
}

/// `Self::function(self, arguments from the body)`, as a block expression.
fn call(function: &Function, receiver: &TokenStream, content: Content) -> TokenStream {
    let ident = &function.ident;
    match (content, function.parameters.as_slice()) {
        (_, []) => quote!({ body.nothing()?; Self::#ident(#receiver) }),
        (Content::Json, [parameter]) => {
            let argument = quote_spanned!(at(parameter.ty.span())=> body.json()?);
            quote!(Self::#ident(#receiver #argument))
        }
        (Content::Raw, [parameter]) => {
            let argument = quote_spanned!(at(parameter.ty.span())=> body.raw()?);
            quote!(Self::#ident(#receiver #argument))
        }
        (_, several) => {
            let arguments = several.iter().map(|parameter| {
                let name = parameter.name.as_deref().unwrap_or_default();
                quote_spanned!(at(parameter.ty.span())=> named.take(#name)?)
            });
            quote!({ let named = body.named()?; Self::#ident(#receiver #(#arguments),*) })
        }
    }
}

/// The author's place in the file with the macro's own context: errors point there, lints do not.
fn at(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}
