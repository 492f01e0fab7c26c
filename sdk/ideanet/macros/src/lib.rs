//! `#[plugin_main]`: the struct that it stands on is the plugin.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Fields, ItemStruct, parse_macro_input};

/// Exports a struct that is a `Plugin` as the plugin of its crate. Its fields begin as their types' `Default`; it needs none
/// itself.
#[proc_macro_attribute]
pub fn plugin_main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        return error(proc_macro2::Span::call_site(), "plugin_main takes nothing: write #[plugin_main]");
    }
    let item = parse_macro_input!(item as ItemStruct);
    if let Some(parameter) = item.generics.params.first() {
        return error(syn::spanned::Spanned::span(parameter), "a plugin has no parameters");
    }
    let name = &item.ident;
    let first = match &item.fields {
        Fields::Unit => quote!(#name),
        Fields::Named(fields) => {
            let fields = fields.named.iter().map(|field| &field.ident);
            quote!(#name { #(#fields: ::core::default::Default::default()),* })
        }
        Fields::Unnamed(fields) => {
            let fields = fields.unnamed.iter().map(|_| quote!(::core::default::Default::default()));
            quote!(#name(#(#fields),*))
        }
    };
    quote! {
        #item

        ::ideanet_plugin_sdk::__export!(#name, #first);
    }
    .into()
}

fn error(span: proc_macro2::Span, message: &str) -> TokenStream {
    syn::Error::new(span, message).into_compile_error().into()
}
