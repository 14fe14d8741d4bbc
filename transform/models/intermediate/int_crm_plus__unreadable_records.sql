-- Contacts, gifts and schedules that CRM+ has and nobody could read, and whom they may belong to, as far as the text tells;
-- and gifts of which only that could not be read which would tell where they belong.
{%- set is_id_the_only_key = transaction_id_columns() == ['gift_id'] %}
with quarantined as (
    select
        organization,
        resource,
        record_id,
        {{ integer_key('record_id') }} as record_key,
        try_cast(raw_text as json) as record
    from {{ ref('stg_crm_plus__quarantined_records') }}
    where
        resolved_at is null
        and {{ clean_text('field') }} is null
        and resource in ('contacts', 'gifts', 'recurring_gifts')
),

-- of a record that an earlier version was read of, that version tells
known_records as (
    select
        organization,
        'contacts' as resource,
        contact_id as record_key
    from {{ ref('stg_crm_plus__contacts') }}
    union all
    select
        organization,
        'gifts' as resource,
        gift_id as record_key
    from {{ ref('stg_crm_plus__gifts') }}
    union all
    select
        organization,
        'recurring_gifts' as resource,
        recurring_gift_id as record_key
    from {{ ref('stg_crm_plus__recurring_gifts') }}
),

unread as (
    select
        quarantined.organization,
        quarantined.resource,
        quarantined.record_id,
        quarantined.record_key,
        json_type(quarantined.record) = 'OBJECT' as is_readable_as_text,
        quarantined.record,
        case
            when
                {{ is_raise_transaction_source("quarantined.record ->> '$.transactionSource'") }}
                -- the transaction id of a gift is a Raise id only by the setting, and where the key is the key
                and (
                    quarantined.resource != 'gifts'
                    {%- if 'gift_id' in transaction_id_columns() %} or coalesce(key_health.is_key_trusted, true) {%- endif %}
                )
                then {{ transaction_raise_id("quarantined.record ->> '$.transactionId'") }}
        end as raise_id,
        {{ integer_key("quarantined.record ->> '$.contactId'") }} as contact_id,
        -- the person who gave, where the contact is the legal donor
        list_filter(
            [{{ integer_key("quarantined.record ->> '$.contactPassthroughId'") }}]
            || coalesce(
                list_transform(
                    from_json(quarantined.record -> '$.giftPassthroughs', '[{"contactId": "VARCHAR"}]'),
                    lambda x: {{ integer_key('x.contactid') }}
                ),
                []
            ),
            lambda x: x is not null -- noqa: RF02
        ) as passthrough_contact_ids
    from quarantined
    left join {{ ref('int_recon__gift_key_health') }} as key_health
        on quarantined.organization = key_health.organization
    anti join known_records
        on
            quarantined.organization = known_records.organization
            and quarantined.resource = known_records.resource
            and quarantined.record_key = known_records.record_key
),

named_donors as (
    select
        organization,
        resource,
        record_key,
        unnest(from_json(record -> '$.contactReferences', '[{"source": "VARCHAR", "id": "VARCHAR"}]')) as reference
    from unread
    where resource = 'contacts' and is_readable_as_text
),

-- a value that could be the id or another key of a Raise gift does not say for sure which gift is meant
identified as (
    select
        *,
        raise_id is not null{% if not is_id_the_only_key %} and resource != 'gifts'{% endif %} as is_raise_id_certain
    from unread
),

contacts_of_identified as (
    select
        * exclude (contact_id, passthrough_contact_ids),
        contact_id is null as is_contact_missing,
        unnest([contact_id] || passthrough_contact_ids) as contact_id
    from identified
),

gifts_without_link_fields as (
    select distinct
        organization,
        {{ integer_key('record_id') }} as gift_id
    from {{ ref('stg_crm_plus__quarantined_records') }}
    where
        resolved_at is null
        and resource = 'gifts'
        and {{ quarantined_field('field') }} in ('reversedgiftid', 'transactionsource', 'transactionid')
)

select
    identified.organization,
    identified.resource,
    identified.record_key,
    identified.raise_id,
    case
        when not identified.is_raise_id_certain then coalesce(contacts.survivor_contact_id, identified.contact_id)
    end as contact_id,
    not coalesce(identified.is_readable_as_text, false)
    or (not identified.is_raise_id_certain and identified.is_contact_missing) as is_unidentified,
    false as is_reversing,
    gaps.made_before
from contacts_of_identified as identified
left join {{ ref('int_recon__record_gaps') }} as gaps
    on
        gaps.source = 'crm_plus'
        and identified.organization = gaps.organization
        and identified.resource = gaps.resource
        and identified.record_id = gaps.record_id
left join {{ ref('int_crm_plus__contacts_resolved') }} as contacts
    on
        identified.organization = contacts.organization
        and identified.contact_id = contacts.contact_id
where identified.resource != 'contacts' or not coalesce(identified.is_readable_as_text, false)
union all
-- a contact may be that of every donor that it names, and of no other
select
    organization,
    resource,
    record_key,
    {{ integer_key('reference.id') }} as raise_id,
    cast(null as bigint) as contact_id,
    false as is_unidentified,
    false as is_reversing,
    null as made_before
from named_donors
where {{ is_raise_reference_source('reference.source') }} and {{ integer_key('reference.id') }} is not null
union all
select
    links.organization,
    'gifts' as resource,
    links.crm_gift_id as record_key,
    cast(null as bigint) as raise_id,
    unnest(coalesce(facts.contact_ids, [coalesce(facts.resolved_contact_id, facts.contact_id)])) as contact_id,
    facts.contact_id is null as is_unidentified,
    links.is_reversing,
    null as made_before
from gifts_without_link_fields
inner join {{ ref('int_recon__gift_links') }} as links
    on
        gifts_without_link_fields.organization = links.organization
        and gifts_without_link_fields.gift_id = links.crm_gift_id
inner join {{ ref('int_crm_plus__gift_facts') }} as facts
    on
        links.organization = facts.organization
        and links.crm_gift_id = facts.gift_id
where links.raise_gift_id is null and not links.names_its_original
