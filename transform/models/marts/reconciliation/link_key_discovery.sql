-- What the transaction ids of CRM+ records point at in Raise, by source and by the Raise field that they may hold. The
-- back-pointer is undocumented: it is learned from the data and shown here, and only the settings switch it on.
{%- set fields = {'id': 'gift_id', 'donationId': 'donation_id', 'transactionId': 'transaction_id'} %}
with candidates (record_kind, raise_field, preference, is_field_in_use) as (
    values
    {% for field, column in fields.items() -%}
        ('gift', '{{ field }}', {{ loop.index }}, {{ column in transaction_id_columns() }}),
    {% endfor -%}
    -- which field names a schedule is no matter of the settings
    ('recurring_gift', 'id', 1, true)
),

readings (strips_prefix) as (
    values (false), (true)
),

-- ids are integers, and unique: they are not compared as texts
raise_ids as (
    select
        organization,
        'gift' as record_kind,
        gift_id as raise_id,
        amount,
        gift_date as record_date
    from {{ ref('stg_raise__gifts') }}
    union all
    select
        organization,
        'recurring_gift' as record_kind,
        recurring_gift_id as raise_id,
        amount,
        start_date as record_date
    from {{ ref('stg_raise__recurring_gifts') }}
),

raise_texts as (
    {% for field, column in fields.items() if column != 'gift_id' -%}
        select
            organization,
            'gift' as record_kind,
            '{{ field }}' as raise_field,
            {{ fold_text(column) }} as raise_key,
            amount,
            gift_date as record_date
        from {{ ref('stg_raise__gifts') }}
        {% if not loop.last -%} union all {%- endif %}
    {% endfor %}
),

crm_records as (
    select
        gifts.organization,
        'gift' as record_kind,
        gifts.gift_id as record_id,
        gifts.transaction_source,
        gifts.transaction_id,
        gifts.is_from_raise,
        gifts.amount,
        gifts.gift_date as record_date
    from {{ ref('stg_crm_plus__gifts') }} as gifts
    inner join {{ ref('int_crm_plus__gift_facts') }} as facts
        on
            gifts.organization = facts.organization
            and gifts.gift_id = facts.gift_id
    where not facts.is_reversing
    union all
    select
        organization,
        'recurring_gift' as record_kind,
        recurring_gift_id as record_id,
        transaction_source,
        transaction_id,
        is_from_raise,
        amount,
        start_date as record_date
    from {{ ref('stg_crm_plus__recurring_gifts') }}
    where not is_deleted
),

folded_records as not materialized (
    select
        *,
        {{ fold_text('transaction_id') }} as whole_key
    from crm_records
),

stripped_records as not materialized (
    select
        *,
        {{ transaction_key('whole_key') }} as stripped_key
    from folded_records
),

whole_records as not materialized (
    select
        *,
        {{ transaction_key_without_part('stripped_key') }} as key_without_part
    from stripped_records
),

keyed_records as (
    select
        *,
        {{ integer_key('key_without_part') }} as raise_id
    from whole_records
),

-- sources are folded by their spellings, of which there are few
raw_spellings as (
    select
        organization,
        record_kind,
        transaction_source,
        bool_or(is_from_raise) as is_raise_source,
        count(*) as crm_records,
        count(whole_key) as records_with_id
    from keyed_records
    group by organization, record_kind, transaction_source
),

spellings as (
    select
        organization,
        record_kind,
        {{ fold_text('transaction_source') }} as folded_source,
        {{ clean_text('transaction_source') }} as spelling,
        bool_or(is_raise_source) as is_raise_source,
        sum(crm_records) as crm_records,
        sum(records_with_id) as records_with_id
    from raw_spellings
    group by organization, record_kind, folded_source, spelling
),

sources as (
    select
        organization,
        record_kind,
        folded_source,
        arg_max(spelling, crm_records order by spelling) as transaction_source,
        bool_or(is_raise_source) as is_raise_source,
        cast(sum(crm_records) as bigint) as crm_records,
        cast(sum(records_with_id) as bigint) as records_with_id
    from spellings
    group by organization, record_kind, folded_source
),

record_keys as (
    select
        *,
        unnest(
            case
                -- each step takes something off or nothing, so that there is one key where the last is as long as the first
                when cast(raise_id as varchar) = whole_key then [whole_key]
                else list_distinct([whole_key, stripped_key, key_without_part, cast(raise_id as varchar)])
            end
        ) as crm_key
    from keyed_records
    where record_kind = 'gift' and whole_key is not null
),

-- a value that several records share names none of them; most are on no CRM+ record, and need not be gathered
raise_keys as (
    select
        organization,
        record_kind,
        raise_field,
        raise_key,
        any_value(amount) as amount,
        any_value(record_date) as record_date
    from raise_texts
    where raise_key in (select record_keys.crm_key from record_keys)
    group by organization, record_kind, raise_field, raise_key
    having count(*) = 1
),

finds as (
    select
        records.organization,
        records.record_kind,
        records.transaction_source,
        records.record_id,
        'id' as raise_field,
        records.whole_key = cast(records.raise_id as varchar) as is_whole,
        true as is_stripped,
        {{ wide('records.amount') }} - raise_ids.amount as amount_off,
        records.record_date - raise_ids.record_date as days_off
    from keyed_records as records
    inner join raise_ids
        on
            records.organization = raise_ids.organization
            and records.record_kind = raise_ids.record_kind
            and records.raise_id = raise_ids.raise_id
    union all
    select
        record_keys.organization,
        record_keys.record_kind,
        record_keys.transaction_source,
        record_keys.record_id,
        raise_keys.raise_field,
        record_keys.crm_key = record_keys.whole_key as is_whole,
        record_keys.crm_key in (
            record_keys.stripped_key, record_keys.key_without_part, cast(record_keys.raise_id as varchar)
        ) as is_stripped,
        {{ wide('record_keys.amount') }} - raise_keys.amount as amount_off,
        record_keys.record_date - raise_keys.record_date as days_off
    from record_keys
    inner join raise_keys
        on
            record_keys.organization = raise_keys.organization
            and record_keys.record_kind = raise_keys.record_kind
            and record_keys.crm_key = raise_keys.raise_key
),

judged_finds as not materialized (
    select
        *,
        coalesce(
            abs(amount_off) <= {{ var('amount_tolerance') }} and abs(days_off) <= {{ var('date_tolerance_days') }},
            false
        ) as is_agreeing
    from finds
),

-- an id finds one record at most, and needs no gathering
found_records as (
    select
        organization,
        record_kind,
        transaction_source,
        raise_field,
        is_whole as is_found_whole,
        is_stripped as is_found_stripped,
        is_whole and is_agreeing as is_agreeing_whole,
        is_stripped and is_agreeing as is_agreeing_stripped
    from judged_finds
    where raise_field = 'id'
    union all
    select
        organization,
        record_kind,
        transaction_source,
        raise_field,
        bool_or(is_whole) as is_found_whole,
        bool_or(is_stripped) as is_found_stripped,
        bool_or(is_whole and is_agreeing) as is_agreeing_whole,
        bool_or(is_stripped and is_agreeing) as is_agreeing_stripped
    from judged_finds
    where raise_field != 'id'
    group by organization, record_kind, transaction_source, raise_field, record_id
),

spelling_counts as (
    select
        organization,
        record_kind,
        transaction_source,
        raise_field,
        count(*) filter (where is_found_whole) as found_whole,
        count(*) filter (where is_found_stripped) as found_stripped,
        count(*) filter (where is_agreeing_whole) as agreeing_whole,
        count(*) filter (where is_agreeing_stripped) as agreeing_stripped
    from found_records
    group by organization, record_kind, transaction_source, raise_field
),

counts as (
    select
        organization,
        record_kind,
        {{ fold_text('transaction_source') }} as folded_source,
        raise_field,
        cast(sum(found_whole) as bigint) as found_whole,
        cast(sum(found_stripped) as bigint) as found_stripped,
        cast(sum(agreeing_whole) as bigint) as agreeing_whole,
        cast(sum(agreeing_stripped) as bigint) as agreeing_stripped
    from spelling_counts
    group by organization, record_kind, folded_source, raise_field
),

tried as (
    select
        sources.organization,
        sources.record_kind,
        sources.folded_source,
        sources.transaction_source,
        sources.is_raise_source,
        candidates.raise_field,
        candidates.preference,
        readings.strips_prefix,
        sources.crm_records,
        sources.records_with_id,
        coalesce(case when readings.strips_prefix then counts.found_stripped else counts.found_whole end, 0)
            as found_records,
        coalesce(case when readings.strips_prefix then counts.agreeing_stripped else counts.agreeing_whole end, 0)
            as agreeing_records,
        candidates.is_field_in_use,
        -- the matching always takes the prefix off
        sources.is_raise_source and readings.strips_prefix and candidates.is_field_in_use as in_use
    from sources
    inner join candidates on sources.record_kind = candidates.record_kind
    cross join readings
    left join counts
        on
            sources.organization = counts.organization
            and sources.record_kind = counts.record_kind
            and sources.folded_source is not distinct from counts.folded_source
            and candidates.raise_field = counts.raise_field
),

-- the same bar that the key in use has to clear: half of at least twenty
measured as (
    select
        *,
        records_with_id >= 20 and found_records * 2 >= records_with_id as finds_most,
        coalesce(bool_or(in_use and found_records * 2 >= records_with_id) over source_rows, false) as is_settled
    from tried
    window source_rows as (partition by organization, record_kind, folded_source)
),

ranked as (
    select
        *,
        strips_prefix
        and not in_use
        and not is_settled
        and folded_source is not null
        and finds_most
        and agreeing_records * 2 >= found_records as is_convincing
    from measured
),

chosen as (
    select
        *,
        is_convincing and row_number() over (
            partition by organization, record_kind, folded_source
            order by is_convincing desc, agreeing_records desc, found_records desc, preference asc
        ) = 1 as suggested
    from ranked
)

select
    organization,
    record_kind,
    transaction_source,
    raise_field,
    strips_prefix,
    crm_records,
    records_with_id,
    found_records,
    agreeing_records,
    in_use,
    suggested,
    case
        when suggested
            then
                'The transaction ids of CRM+ ' || replace(record_kind, '_', ' ') || 's with source "' || transaction_source
                || '" look like the Raise ' || raise_field || ': ' || found_records || ' of ' || records_with_id
                || ' find their record, and ' || agreeing_records
                || ' of these agree on amount and date. To match by it, add '
                || concat_ws(
                    ' and ',
                    case when not is_field_in_use then raise_field || ' to transaction_id_fields' end,
                    case
                        when not is_raise_source then '"' || transaction_source || '" to raise_transaction_sources'
                    end
                ) || '.'
    end as suggestion
from chosen
