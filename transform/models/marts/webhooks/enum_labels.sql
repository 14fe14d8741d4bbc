-- What the integers that no documentation labels are called by the text beside them, and what the reconciliation takes them
-- for. CRM+ sends words alone: there `value` is null.
with observed as (
    select
        organization,
        'gift.status' as field,
        status as value,
        {{ clean_text('status_text') }} as label,
        coalesce(created_at, first_extracted_at) as observed_at
    from {{ ref('stg_raise__gifts') }}
    where status is not null or status_text is not null
    union all
    select
        organization,
        'recurring_gift.status' as field,
        status as value,
        {{ clean_text('status_text') }} as label,
        coalesce(created_at, first_extracted_at) as observed_at
    from {{ ref('stg_raise__recurring_gifts') }}
    where status is not null or status_text is not null
    union all
    select
        organization,
        'recurring_gift.frequency' as field,
        frequency as value,
        {{ clean_text('formatted_frequency') }} as label,
        coalesce(created_at, first_extracted_at) as observed_at
    from {{ ref('stg_raise__recurring_gifts') }}
    where frequency is not null or formatted_frequency is not null
    union all
    select
        organization,
        'crm_plus.recurring_gift.status' as field,
        null as value,
        {{ clean_text('status') }} as label,
        coalesce(created_at, first_extracted_at) as observed_at
    from {{ ref('stg_crm_plus__recurring_gifts') }}
    where {{ clean_text('status') }} is not null
    union all
    select
        organization,
        'crm_plus.recurring_gift.frequency' as field,
        null as value,
        {{ clean_text('frequency') }} as label,
        coalesce(created_at, first_extracted_at) as observed_at
    from {{ ref('stg_crm_plus__recurring_gifts') }}
    where {{ clean_text('frequency') }} is not null
    union all
    select
        organization,
        'webhook.status' as field,
        status as value,
        null as label,
        coalesce(created_at, first_extracted_at) as observed_at
    from {{ ref('stg_raise__webhooks') }}
    where status is not null
    union all
    select
        organization,
        'webhook.format' as field,
        format as value,
        null as label,
        coalesce(created_at, first_extracted_at) as observed_at
    from {{ ref('stg_raise__webhooks') }}
    where format is not null
    {% for field, column, value, label in [
        ('donor_address.address_type', 'donor_addresses', 'addressType', 'addressTypeDisplay'),
        ('donor_contact_method.type', 'donor_email_addresses', 'type', 'typeDisplay'),
        ('donor_contact_method.type', 'donor_phone_numbers', 'type', 'typeDisplay'),
    ] -%}
        union all
        select
            organization,
            '{{ field }}' as field,
            part.{{ value | lower }} as value,
            {{ clean_text('part.' ~ label | lower) }} as label,
            observed_at
        from (
            select
                organization,
                coalesce(created_at, first_extracted_at) as observed_at,
                unnest(from_json({{ column }}, '[{"{{ value }}": "BIGINT", "{{ label }}": "VARCHAR"}]')) as part
            from {{ ref('stg_raise__donors') }}
        )
        where part.{{ value | lower }} is not null or part.{{ label | lower }} is not null
    {% endfor %}
),

spellings as (
    select
        organization,
        field,
        value,
        label,
        count(*) as observations,
        min(observed_at) as first_observed_at,
        max(observed_at) as last_observed_at
    from observed
    group by organization, field, value, label
),

folded as (
    select
        *,
        {{ fold_label('label') }} as folded_label
    from spellings
),

labels as (
    select
        organization,
        field,
        value,
        folded_label,
        list(label order by observations desc, label asc)[1] as label,
        cast(sum(observations) as bigint) as observations,
        min(first_observed_at) as first_observed_at,
        max(last_observed_at) as last_observed_at
    from folded
    group by organization, field, value, folded_label
),

-- where there is no integer, each word is a value of its own
values_seen as (
    select
        organization,
        field,
        value,
        case when value is null then folded_label end as word,
        (list(label order by observations desc, label asc) filter (where label is not null))[1] as label,
        cast(sum(observations) as bigint) as observations,
        count(distinct folded_label) as label_count,
        min(first_observed_at) as first_observed_at,
        max(last_observed_at) as last_observed_at
    from labels
    group by organization, field, value, word
),

mapped as (
    select
        values_seen.*,
        case
            when values_seen.field = 'gift.status'
                then
                    case
                        when {{ is_in_setting('values_seen.label', 'settled_gift_statuses') }} then 'settled'
                        when {{ is_in_setting('values_seen.label', 'reversed_gift_statuses') }} then 'reversed'
                        when values_seen.label is not null then 'neither settled nor reversed'
                    end
            when values_seen.field like '%recurring_gift.status' then states.state
            when values_seen.field like '%recurring_gift.frequency'
                then
                    regexp_replace(cast(frequencies.payments_per_year as varchar), '\.?0+$', '') || ' payments a year'
            when values_seen.field = 'webhook.status' and values_seen.value = 1 then 'active'
        end as mapped_to
    from values_seen
    left join {{ ref('int_seeds__recurring_states') }} as states
        on
            values_seen.field in ('recurring_gift.status', 'crm_plus.recurring_gift.status')
            and states.source = if(values_seen.field = 'recurring_gift.status', 'raise', 'crm_plus')
            and {{ fold_label('values_seen.label') }} = states.label
            and states.problem is null
    left join {{ ref('int_seeds__frequencies') }} as frequencies
        on
            values_seen.field in ('recurring_gift.frequency', 'crm_plus.recurring_gift.frequency')
            and frequencies.source = if(values_seen.field = 'recurring_gift.frequency', 'raise', 'crm_plus')
            and coalesce(
                cast(values_seen.value as varchar), regexp_replace({{ fold_text('values_seen.label') }}, '[ -]', '', 'g')
            ) = frequencies.value
            and frequencies.problem is null
)

select
    organization,
    field,
    value,
    label,
    observations,
    label_count,
    first_observed_at,
    last_observed_at,
    mapped_to
from mapped
