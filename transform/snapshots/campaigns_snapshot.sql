{% snapshot campaigns_snapshot %}

    {{ config(
        schema='intermediate',
        strategy='check',
        unique_key=['organization', 'campaign_id'],
        check_cols=['can_sync', 'campaign_name'],
        updated_at='extracted_at',
        hard_deletes='ignore'
    ) }}

    select
        organization,
        campaign_id,
        campaign_name,
        can_sync,
        extracted_at
    from {{ ref('stg_raise__campaigns') }}

{% endsnapshot %}
