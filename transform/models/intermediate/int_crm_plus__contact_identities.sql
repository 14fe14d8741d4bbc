-- The names and e-mail addresses that a contact answers to, folded for comparison. The nested persons are parsed here and
-- nowhere else.
{{ config(materialized='maintained_table') }}
with contacts as (
    select
        organization,
        contact_id,
        contact_name,
        list_filter(
            [
                {{ fold_name('contact_name') }},
                {{ fold_name('informal_name') }},
                {{ fold_name('formal_contact_name') }},
                {{ fold_name('alternate_contact_name') }}
            ],
            lambda x: x is not null
        ) as contact_names,
        from_json(
            contact_individuals,
            '[{"firstName": "VARCHAR", "lastName": "VARCHAR", "contactMethods": [{"type": "VARCHAR", "value": "VARCHAR"}]}]'
        ) as individuals
    from {{ ref('stg_crm_plus__contacts') }}
)

select
    organization,
    contact_id,
    contact_name,
    contact_names || list_filter(
        list_transform(
            coalesce(individuals, []),
            lambda x: {{ fold_name("concat_ws(' ', x.firstname, x.lastname)") }}
        ),
        lambda x: x is not null
    ) as names,
    list_filter(
        list_transform(
            list_filter(
                flatten(list_transform(coalesce(individuals, []), lambda x: coalesce(x.contactmethods, []))),
                lambda x: contains(lower(x.type), 'email')
            ),
            lambda x: {{ fold_text('x.value') }}
        ),
        lambda x: x is not null
    ) as emails
from contacts
